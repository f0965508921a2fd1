"""The options of the bounds, and how they are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from socorro_processor.cli.all_options import all_options
from socorro_processor.cli.main import main
from socorro_processor.configuration import Configuration, Source
from socorro_processor.machine.disk_space import disk_of
from socorro_processor.retention.bounds import Bounds, automatic_size

GB = 1 << 30


def bounds(directory: Path, **options: str) -> Bounds:
    source = Source({f"retention.{name}": value for name, value in options.items()})
    return Bounds.of(Configuration(all_options(), [source]).values.retention, directory)


def test_without_options_crashes_are_kept_for_90_days_and_on_half_of_the_disk_at_most(tmp_path):
    size = min(disk_of(tmp_path).size // 2, 50 * GB)
    assert bounds(tmp_path / "not" / "made" / "yet") == Bounds(days=90, size=size, dumps=100)


@pytest.mark.parametrize(("disk", "kept"), [(20 * GB, 10 * GB), (100 * GB, 50 * GB), (1000 * GB, 50 * GB), (0, 0)])
def test_the_automatic_size_is_half_of_a_disk_and_at_most_50_gb(disk, kept):
    assert automatic_size(disk) == kept


def test_zero_is_no_bound(tmp_path):
    assert bounds(tmp_path, keep_days="0", keep_bytes="0", keep_dumps="0") == Bounds()


def test_products_have_sizes_with_units(tmp_path):
    table = '{"Browser": "20G", "Mail": 0, "*": "512m"}'
    kept = bounds(tmp_path, product_bytes=table)
    assert [kept.of_product(name) for name in ("Browser", "Mail", "Chat")] == [20 * GB, 0, 512 << 20]


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (Bounds(90, 50 * GB, 100), "for 90 days, at most 50 GB; their dumps only for the newest 100 of each signature"),
        (Bounds(days=1), "for 1 day"),
        (Bounds(size=GB // 2), "up to 512 MB"),
        (Bounds(days=7, products={"Mail": GB}), "for 7 days, with 1 bound by product"),
        (Bounds(), "for ever"),
    ],
)
def test_the_bounds_are_said_in_a_sentence(kept, words):
    assert kept.in_words() == f"Crashes are kept {words}."


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("keep_days=-1", "'-1' is not a whole number of at least 0"),
        ("keep_bytes=much", "a size above 0 was expected"),
        ("keep_dumps=many", "'many' is not a whole number of at least 0"),
        ("disk_low=5%", "a size above 0 was expected"),
        ("product_bytes=[1]", "a JSON object of products and sizes"),
        ("product_bytes={", "a JSON object of products and sizes"),
        ('product_bytes={"Mail": true}', "the size of 'Mail' is a text, such as 500M or 4G"),
        ('product_bytes={"Mail": "x"}', "'Mail': a size above 0 was expected"),
    ],
)
def test_nonsense_is_refused_with_words(option, words, capsys):
    assert main(["serve", f"--retention.{option}"], {}) == 2
    assert words in capsys.readouterr().err
