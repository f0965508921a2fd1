"""A run of `make systemd-test` succeeds if every chosen check reports success."""

import pytest

from tests.systemd.__main__ import report


@pytest.mark.parametrize(
    ("lines", "code", "last"),
    [
        (["ok start: active after 9 s", "ok stop"], 0, "2 of 2 are well"),
        (["ok start", "bad stop: it has not said that it ended"], 1, "1 of 2 are well"),
        (["ok start"], 1, "1 of 2 are well"),
        (["ok start", "ok sto"], 1, "1 of 2 are well"),
        ([], 1, "0 of 2 are well"),
    ],
)
def test_a_bad_or_missing_result_is_not_a_success(capsys, lines, code, last):
    assert report(["start", "stop"], lines, "the machine ended with 0") == code
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == last
    assert [line.split()[1].rstrip(":") for line in printed[:-1]] == ["start", "stop"]
