"""One line a record, for people or for machines."""

import json
import logging
import sys

import pytest

from socorro_processor.configuration import Configuration, DotDict, Namespace, Source
from socorro_processor.configuration.sources import SourcedValue
from socorro_processor.errors import ConfigurationError
from socorro_processor.monitoring import log


def record(message, *arguments, **extra):
    made = logging.LogRecord("socorro", logging.INFO, __file__, 1, message, arguments, None)
    made.created, made.msecs = 1479904496.789, 789.0
    made.__dict__.update(extra)
    return made


def test_a_plain_line_holds_time_level_message_and_fields():
    line = log.PlainFormatter().format(
        record("%s saved", "id", fields={"queue": "normal", "save": 0.25, "signature": "a | b"})
    )
    assert line == '2016-11-23T12:34:56.789Z INFO id saved queue=normal save=0.250 signature="a | b"'


def test_a_message_cannot_forge_another_line():
    line = log.PlainFormatter().format(record("bad\n2016-11-23T12:34:56.789Z INFO forged", fields={"a": "x\ny"}))
    assert all(not each.startswith("2016") for each in line.splitlines()[1:])


def test_text_from_input_cannot_control_a_terminal():
    line = log.PlainFormatter().format(record("bad \x1b[2J\r\u2028 é", fields={"signature": "\x1b[31m\x9bé"}))
    assert line == r'2016-11-23T12:34:56.789Z INFO bad \x1b[2J\r\u2028 é signature="\u001b[31m\u009b\u00e9"'


@pytest.mark.parametrize("formatter", [log.PlainFormatter(), log.JSONFormatter()])
def test_the_message_of_an_exception_cannot_forge_another_line(formatter):
    try:
        raise KeyError from ValueError("\n2016-11-23T12:34:56.789Z INFO forged \x1b[2J")
    except KeyError:
        text = formatter.format(record("failed", exc_info=sys.exc_info()))
    assert not any(line.startswith("2016") for line in text.splitlines()[1:])
    assert "\x1b" not in text


def test_a_json_line_holds_the_same():
    line = json.loads(log.JSONFormatter().format(record("%s saved", "id", fields={"save": 0.25})))
    assert line == {
        "time": "2016-11-23T12:34:56.789Z",
        "level": "INFO",
        "logger": "socorro",
        "message": "id saved",
        "save": 0.25,
    }


@pytest.mark.parametrize("formatter", [log.PlainFormatter(), log.JSONFormatter()])
def test_a_traceback_is_part_of_its_record(formatter):
    try:
        raise KeyError("key")
    except KeyError:
        made = record("failed", exc_info=sys.exc_info())
    text = formatter.format(made)
    assert "Traceback" in text
    assert "failed" in text


@pytest.mark.parametrize("option", ["level", "format"])
def test_an_unknown_level_or_format_is_a_configuration_error(option):
    definitions = Namespace()
    definitions.logging = log.required_config.safe_copy()
    source = Source({f"logging.{option}": SourcedValue("loud", "a test")})
    with pytest.raises(ConfigurationError, match="one of"):
        Configuration(definitions, [source])


def test_logging_is_set_up_as_configured(capsys):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log.set_up_logging(DotDict({"level": "WARNING", "format": "json"}))
        logging.getLogger("x").info("not this")
        logging.getLogger("x").warning("this")
        assert json.loads(capsys.readouterr().err)["message"] == "this"
    finally:
        root.handlers[:], root.level = handlers, level


def test_log_records_of_a_crash_in_work_carry_its_id():
    with log.crash_context("the id"):
        line = json.loads(log.JSONFormatter().format(record("disk full")))
        assert "the id" not in log.PlainFormatter().format(record("disk full"))
    assert line["crash_id"] == "the id"
    assert "crash_id" not in json.loads(log.JSONFormatter().format(record("disk full")))
