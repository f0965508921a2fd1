"""Lists that several rules share."""

from __future__ import annotations

import pytest

from socorro_processor.configuration import defaults
from socorro_processor.errors import ConfigurationError
from socorro_processor.pipeline.mozilla_2015 import MozillaProcessorAlgorithm2015
from socorro_processor.rules.signature import SignatureGenerationRule, SignatureRunWatchDog
from socorro_processor.signature.siglists import FILES, PREFIX, lists_in_use


@pytest.fixture
def directory(tmp_path):
    for name in FILES:
        (tmp_path / name).write_text("")
    return tmp_path


def test_all_users_of_a_directory_share_its_lists(directory):
    lists = lists_in_use(directory)

    assert lists_in_use(directory / "." / ".." / directory.name) is lists


def test_all_see_the_new_lists_when_one_reloads(directory):
    one, other = lists_in_use(directory), lists_in_use(directory)
    (directory / PREFIX).write_text("abort\n")

    one.reload()
    assert other.current.prefix.matches("abort")


def test_lists_that_did_not_change_are_not_compiled_again(directory):
    lists = lists_in_use(directory)
    before = lists.current

    lists.reload()
    assert lists.current is before


def test_bad_lists_are_not_used(directory):
    (directory / PREFIX).write_text("(\n")
    with pytest.raises(ConfigurationError):
        lists_in_use(directory)

    (directory / PREFIX).write_text("abort\n")
    assert lists_in_use(directory).current.prefix.matches("abort")


def test_one_option_is_for_every_rule_of_the_pipeline(directory):
    config = defaults(
        MozillaProcessorAlgorithm2015, **{"resource.signature.siglists_directory": str(directory)}
    ).processed_transform

    one = SignatureGenerationRule(config.SignatureGenerationRule)
    other = SignatureRunWatchDog(config.SignatureRunWatchDog)
    assert one.c_signature.lists is other.c_signature.lists is lists_in_use(directory)
