from __future__ import annotations

import errno
import logging

import pytest

from socorro_processor.configuration import DotDict
from socorro_processor.configuration.components import create
from socorro_processor.errors import ConfigurationError, CrashStorageError, TransientStorageError, is_of_this_machine


def raising(error: Exception) -> type:
    class Archive:
        def __init__(self, config: DotDict) -> None:
            raise error

    return Archive


def test_a_component_whose_constructor_fails_is_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with pytest.raises(ConfigurationError, match="cannot create Archive: ZeroDivisionError: division") as caught:
        create(raising(ZeroDivisionError("division by zero")), DotDict())
    assert not is_of_this_machine(caught.value)
    assert "Traceback" in caplog.text


def test_what_the_machine_lacks_is_not_the_configuration_s_fault() -> None:
    with pytest.raises(ConfigurationError) as caught:
        create(raising(OSError(errno.EMFILE, "Too many open files")), DotDict())
    assert is_of_this_machine(caught.value)


def test_an_error_of_ours_goes_through() -> None:
    with pytest.raises(CrashStorageError, match="away"):
        create(raising(TransientStorageError("away")), DotDict())
