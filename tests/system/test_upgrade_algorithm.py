"""An installation that was configured before there was the algorithm of 2026 signs as before."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from socorro_processor.configuration import class_name
from socorro_processor.pipeline.mozilla_2015 import MozillaProcessorAlgorithm2015
from tests.chaos.former_version import BEFORE_TODAY_S_FIELDS, FormerVersion
from tests.chaos.run import former_version
from tests.shared import REPOSITORY, SAMPLES, stackwalker
from tests.system.daemon import DEADLINE, SOCORRO, Installation, variables

CRASH = "5e1f00aa-0d5c-4c0b-9d2e-8f6a20261124"
WALKER = "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015"
INI = f"""
[processor]
    [[raw_to_processed_transform]]
        [[[BreakpadStackwalkerRule2015]]]
            symbols_path = {SAMPLES / "symbols"}
"""
CONFIGURATIONS = {
    "ini file": ({}, [], INI),
    "environment": (variables({f"{WALKER}.kill_timeout": "50"}), [], ""),
    "names with dots": ({f"{WALKER}.kill_timeout": "50"}, [], ""),
    "command line": ({}, [f"--{WALKER}.kill_timeout=50"], ""),
    "a class of 2016": ({"source.crashstorage_class": "socorro.external.fs.crashstorage.FSPermanentStorage"}, [], ""),
    "lists": (variables({"resource.signature.siglists_directory": str(REPOSITORY / "siglists")}), [], ""),
    "a name of 2016": (variables({"resource.fs.fs_root": "crashes"}), [], ""),
}
"""By how they are set: variables of the environment, arguments, the text of an ini file."""

OF_ONE_RUN = {
    *("uuid", "crash_id", "processing", "processor_notes", "json_dump"),
    *("started_datetime", "startedDateTime", "completed_datetime", "completeddatetime"),
}
"""Fields that have ids, times, durations or versions in them."""


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> FormerVersion:
    return former_version(tmp_path_factory.mktemp("versions") / "former", BEFORE_TODAY_S_FIELDS)


@pytest.fixture
def printed(tmp_path: Path) -> Callable[..., str]:
    """Run a command of ``socorro`` to its end; what it printed."""

    def printed(environment: dict[str, str], *arguments: str | Path) -> str:
        done = subprocess.run(
            [*SOCORRO, *arguments],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return printed


@pytest.fixture
def crash(tmp_path: Path) -> Path:
    """A processed crash whose names have other normal forms in 2015 and 2026."""
    frames = [{"function": "lightbox::Album::open(char const*)"}, {"function": "main"}]
    processed = {
        "uuid": CRASH,
        "json_dump": {"threads": [{"frames": frames}], "crash_info": {"crashing_thread": 0}},
    }
    file = tmp_path / "crash.json"
    file.write_text(json.dumps(processed))
    return file


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_an_older_configuration_signs_the_same_with_both_versions(former, printed, crash, tmp_path, name):
    variables_set, arguments, ini = CONFIGURATIONS[name]
    environment = {**variables_set}
    if ini:
        (tmp_path / "former.ini").write_text(ini)
        environment["SOCORRO__ADMIN__CONF"] = str(tmp_path / "former.ini")
    before = printed(former.environment(environment), "signature", crash, *arguments)
    assert before == f"{CRASH} lightbox::Album::open(char const*)\n"
    assert printed(environment, "signature", crash, *arguments) == before


def test_without_a_configuration_the_signature_is_that_of_2026_and_by_name_that_of_2015(former, printed, crash):
    assert printed(former.environment({}), "signature", crash) == f"{CRASH} lightbox::Album::open(char const*)\n"
    assert printed({}, "signature", crash) == f"{CRASH} lightbox::Album::open\n"
    named = f"--processor.processor_class={class_name(MozillaProcessorAlgorithm2015)}"
    assert printed({}, "signature", crash, named) == f"{CRASH} lightbox::Album::open(char const*)\n"


def test_an_older_configuration_makes_the_same_processed_crash_of_a_minidump(former, printed, tmp_path):
    (tmp_path / "former.ini").write_text(f"{INI}            command_pathname = {stackwalker()}\n")
    environment = {"SOCORRO__ADMIN__CONF": str(tmp_path / "former.ini")}
    sample = SAMPLES / "segfault"
    command = ("process", "--json", sample / "upload_file_minidump.dmp", "--raw-crash", sample / "raw_crash.json")
    before, after = (json.loads(printed(each, *command)) for each in (former.environment(environment), environment))
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert differing <= OF_ONE_RUN
    assert after["json_dump"]["crashing_thread"] == before["json_dump"]["crashing_thread"]
    assert before["signature"].startswith("lightbox::")


def test_the_daemon_warns_of_stored_crashes_of_2015_unless_the_configuration_names_an_algorithm(tmp_path):
    stackwalker()
    installation = Installation(tmp_path)
    del installation.environment["SOCORRO__ADMIN__CONF"]
    stored = installation.crashes / "v1" / "processed_crash" / CRASH
    stored.parent.mkdir(parents=True)
    stored.write_text(json.dumps({"uuid": CRASH, "signature": "main"}))
    warning = "holds crashes that were signed by the algorithm of 2015"
    try:
        daemon = installation.start()
        assert daemon.stop() == 0
        assert warning in daemon.log
        installation.set("processor.processor_class", class_name(MozillaProcessorAlgorithm2015))
        daemon = installation.start()
        assert daemon.stop() == 0
        assert warning not in daemon.log
    finally:
        installation.close()
