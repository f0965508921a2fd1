from __future__ import annotations

import pytest

from socorro_processor.collector.header_parameters import MAXIMUM_PARAMETERS, read_header
from tests.cpu_time import cpu_seconds


@pytest.mark.parametrize(
    ("value", "name", "parameters"),
    [
        ("", "", {}),
        ("Form-Data", "form-data", {}),
        ('form-data; name="a"; filename="b"', "form-data", {"name": "a", "filename": "b"}),
        ("form-data;NAME = a ; filename=b c", "form-data", {"name": "a", "filename": "b c"}),
        ('x; filename="C:\\new\\"; name="a"', "x", {"filename": "C:\\new\\", "name": "a"}),
        ('x; name="a \\"b\\" c"', "x", {"name": 'a "b" c'}),
        ('x; name="a "b" c"', "x", {"name": 'a "b" c'}),
        ('x; name="a;b=c"', "x", {"name": "a;b=c"}),
        ('x; name="%22%0d%0A%25%41"', "x", {"name": '"\r\n%%41'}),
        ('x; name="not closed; a=b', "x", {"name": "not closed; a=b"}),
        ("x; name=a; name=b", "x", {"name": "a"}),
        ("x; filename=a; filename*=UTF-8''na%C3%AFve", "x", {"filename": "naïve"}),
        ("x; filename=a; filename*=nonsense", "x", {"filename": "a"}),
        ("x; ; =; a; b=", "x", {"b": ""}),
    ],
)
def test_headers_are_read_as_clients_write_them(value: str, name: str, parameters: dict[str, str]) -> None:
    assert read_header(value) == (name, parameters)


def test_parameters_behind_the_first_ones_mean_nothing() -> None:
    value = "x" + "; a=b" * (MAXIMUM_PARAMETERS - 1)
    assert read_header(f"{value}; name=c; more=d") == ("x", {"a": "b", "name": "c"})


@pytest.mark.parametrize("piece", ['; a="x', '"', "; ", ';a="', "; a=b", '" ;', "\\"])
def test_the_time_for_a_header_grows_with_its_length_alone(piece: str) -> None:
    def seconds(size: int) -> float:
        return min(cpu_seconds(lambda: read_header("x; name=" + piece * (size // len(piece)))) for _ in range(3))

    assert seconds(160_000) < 40 * seconds(10_000) + 0.01
