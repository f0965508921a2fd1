"""The examples of the docs, run as they stand there."""

import json
import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path

from tests.shared import REPOSITORY, SAMPLES

_BLOCK = re.compile(r"^\.\. code-block:: \w+\n    :caption: (\S+)\n\n((?:    .*\n|\n)+)", re.MULTILINE)


def write_examples(page: str, directory: Path) -> None:
    """Write each captioned code block of a page to the file that its caption names."""
    blocks = _BLOCK.findall((REPOSITORY / "docs" / page).read_text())
    assert blocks, f"no captioned code block in {page}"
    for name, text in blocks:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def test_a_rule_and_a_store_of_an_operators_own_work_as_the_docs_show(installation, tmp_path):
    write_examples("own-rules-and-stores.rst", tmp_path)
    del installation.environment["SOCORRO__RESOURCE__FILESYSTEM__ROOT"]
    del installation.environment["SOCORRO__NEW_CRASH_SOURCE__PATH"]
    installation.environment["SOCORRO__ADMIN__CONF"] = "own.ini"
    (tmp_path / "annotations.json").write_text(json.dumps({"Album": "Holidays in the mountains, 2016"}))

    crash_id = installation.submit(SAMPLES / "segfault" / "upload_file_minidump.dmp", "--raw-crash=annotations.json")
    daemon = installation.start()
    daemon.wait_for_log(f"{crash_id} saved")
    assert daemon.stop() == 0

    processed = installation.show(crash_id)
    assert processed["album"] == "Holidays in the moun"
    assert "the album's name was cut" in processed["processor_notes"]
    assert (tmp_path / "socorro-data" / "dashboard" / crash_id).read_text() == processed["signature"]
    assert "save.storage1=" in daemon.log


def test_help_lists_the_options_of_an_operators_own_classes(installation, tmp_path):
    write_examples("own-rules-and-stores.rst", tmp_path)
    done = installation.socorro("processor", "--admin.conf=own.ini", "--help")
    assert done.returncode == 0, done.stderr
    assert "--processor.lightbox.AlbumRule.maximum_length=20" in done.stdout
    assert "--destination.storage1.directory=socorro-data/dashboard" in done.stdout


def test_the_page_about_s3_shows_a_configuration_that_can_be_used(installation, tmp_path):
    write_examples("s3.rst", tmp_path)
    done = installation.socorro("processor", "--admin.conf=s3.ini", "--admin.print_conf=ini")
    assert done.returncode == 0, done.stderr
    assert "bucket_name = telemetry" in done.stdout


def test_the_tour_can_be_walked(installation, tmp_path):
    tour = (REPOSITORY / "docs" / "tour.rst").read_text()
    block = re.compile(r"(?:::|\.\. code-block:: sh)\n\n((?:    .*\n|\n)+)")
    _make_run, *commands = [line.strip() for text in block.findall(tour) for line in text.splitlines() if line.strip()]
    (tmp_path / "samples").symlink_to(SAMPLES)
    shutil.copytree(REPOSITORY / "siglists", tmp_path / "siglists")
    crash_id, printed = "", {}
    for command in commands[1:]:
        words = shlex.split(command.replace("CRASH_ID", crash_id), comments=True)
        if words == ["socorro", "processor"]:
            daemon = installation.start()
            daemon.wait_for_log(f"{crash_id} saved")
            assert daemon.stop() == 0
        elif words[0] == "socorro":
            done = installation.socorro(*words[1:])
            assert done.returncode == 0, f"{command}: {done.stderr}"
            printed[command] = done.stdout
            crash_id = crash_id or done.stdout.strip()
        else:
            subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    before, after = (text for command, text in printed.items() if "--explain" in command)
    assert "lightbox::Thumbnail::turn_upright(lightbox::exif::File)" in before.splitlines()[0]
    assert "lightbox::Thumbnail::render(lightbox::exif::File)" in after.splitlines()[0]


def test_the_readme_shows_what_make_run_prints(installation):
    sample = SAMPLES / "segfault"
    crash_id = installation.submit(sample / "upload_file_minidump.dmp", "--raw-crash", sample / "raw_crash.json")
    assert installation.socorro("process", crash_id).returncode == 0
    printed = installation.socorro("show", crash_id).stdout.splitlines()
    begin = next(number for number, line in enumerate(printed) if line.startswith("signature"))
    changing = ("processed ", "Once a symbol store has them")
    shown = [line for line in printed[begin : printed.index("Notes")] if not line.startswith(changing)]
    readme = [line.removeprefix("    ") for line in (REPOSITORY / "README.rst").read_text().splitlines()]
    assert [line for line in shown if line not in readme] == []
