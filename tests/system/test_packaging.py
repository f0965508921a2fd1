"""make, pip and an operator without a checkout can use the source distribution, and the wheel built from it."""

import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from socorro_processor.web.all_pages import NAVIGATION
from tests.multipart import body_of, request_of
from tests.shared import REPOSITORY, SAMPLES, stackwalker
from tests.system.serving import Serving, eventually
from tests.web_server import Client

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"

NOT_THERE_IN_A_CLONE = (
    ".*",
    "build",
    "dist",
    "*.egg-info",
    "__pycache__",
    "_build",
    "results",
    "symbols.index",
    "target",
)
IN_THE_PACKAGE = ("config", "siglists", "socorro_processor")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with both, built without a network from a clean copy."""
    directory = tmp_path_factory.mktemp("distributions")
    shutil.copytree(REPOSITORY, directory / "clone", ignore=shutil.ignore_patterns(*NOT_THERE_IN_A_CLONE))
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", directory / "dist", directory / "clone")
    return directory / "dist"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_of(*names: str) -> set[str]:
    """Return the checkout's files that are not Python's, by their path below the package."""
    found = set()
    for name in names:
        for path in (REPOSITORY / name).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                below = path.relative_to(REPOSITORY)
                found.add(str(below if name == "socorro_processor" else Path("socorro_processor") / below))
    return found


def test_the_wheel_has_lists_configurations_units_reference_data_and_the_marker_for_types(distributions):
    (wheel,) = distributions.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = files_of(*IN_THE_PACKAGE)
    assert {
        "socorro_processor/py.typed",
        "socorro_processor/config/processor-production.ini",
        "socorro_processor/config/reference_data.json",
        "socorro_processor/config/systemd/socorro-processor.service",
        "socorro_processor/siglists/prefix_signature_re.txt",
    } <= expected
    assert expected - names == set()


def test_the_source_distribution_has_what_is_needed_to_build_test_and_install(distributions):
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    for needed in (
        "Makefile",
        "CHANGELOG.rst",
        "requirements-dev.txt",
        "bin/install-systemd",
        "bin/servers/server.py",
        "bin/services",
        "config/systemd/common.conf",
        "docs/index.rst",
        "samples/crash-guard/Cargo.lock",
        "samples/crash-guard/crash_guard.h",
        "samples/segfault/upload_file_minidump.dmp",
        "siglists/README.rst",
        "socorro_processor/py.typed",
        "stackwalker/Cargo.lock",
        "stackwalker/pyproject.toml",
        "stackwalker/src/main.rs",
        "tests/shared.py",
    ):
        assert needed in names


@pytest.fixture(scope="module")
def installed(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An installation from the wheel: its programs, and its packages."""
    (wheel,) = distributions.glob("*.whl")
    directory = tmp_path_factory.mktemp("installed")
    venv.create(directory, with_pip=False, symlinks=True)
    python = directory / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    link_dependencies(site, "web")
    return directory / "bin", site


def link_dependencies(site: Path, extra: str) -> None:
    """Put what the wheel requires with an extra, and nothing else, beside it, as pip would: links to what is here."""
    (own,) = site.glob("socorro_processor-*.dist-info")
    waiting = [(metadata.Distribution.at(own), frozenset({"", extra}))]
    linked: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        distribution, extras = waiting.pop()
        for each in map(Requirement, distribution.requires or ()):
            if each.marker and not any(each.marker.evaluate({"extra": one}) for one in extras):
                continue
            needed = (each.name, frozenset({"", *each.extras}))
            if needed not in linked:
                linked.add(needed)
                waiting.append((metadata.distribution(each.name), needed[1]))
    for name, _ in linked:
        for top in {file.parts[0] for file in metadata.files(name) or () if file.parts[0] != ".."}:
            if top != "__pycache__" and not (site / top).exists():
                (site / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))


def test_an_installation_from_the_wheel_runs_without_a_checkout(installed, tmp_path):
    programs, site = installed
    where = run(programs / "python", "-c", "import socorro_processor; print(socorro_processor.__file__)", cwd=tmp_path)
    assert where.startswith(str(site))
    socorro = programs / "socorro"
    assert str(site) in run(socorro, "siglists", "check", cwd=tmp_path)
    ini = run(socorro, "processor", "--admin.print_conf=ini", cwd=tmp_path)
    assert "[producer_consumer]" in ini
    shipped = f"--admin.conf={site / 'socorro_processor' / 'config' / 'processor.ini'}"
    assert "root = socorro-data/crashes" in run(socorro, "processor", shipped, "--admin.print_conf=ini", cwd=tmp_path)


def test_the_installation_has_what_the_extra_requires_and_no_tool_of_the_tests(installed):
    _, site = installed
    there = {path.name for path in site.iterdir()}
    assert {"jinja2", "starlette", "uvicorn", "configman", "orjson"} <= there
    assert not {"pytest", "hypothesis", "sphinx", "_pytest"} & there


@pytest.fixture(scope="module")
def posted(installed: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, str]]:
    """A server from the wheel, in an empty directory, with a crash that was posted to it; its crash id."""
    serving = Serving(tmp_path_factory.mktemp("served"), (str(installed[0] / "socorro"),))
    serving.environment["SOCORRO_STACKWALKER"] = str(stackwalker())
    try:
        serving.start()
        body = body_of({"ProductName": "Lightbox", "Version": "2.3.1"}, DUMP.read_bytes())
        with Client(serving.port) as client:
            client.send(request_of(body))
            status, _, answer = client.read_answer()
        assert status == 200, answer
        crash_id = answer.decode().strip().removeprefix("CrashID=bp-")
        # The index has it a moment after the store.
        eventually(lambda: crash_id in serving.get("/search.json")[1], lambda: serving.log)
        yield serving, crash_id
        assert serving.stop() == 0
        assert "Traceback" not in serving.log
    finally:
        serving.close()


def test_a_crash_that_is_posted_to_the_server_from_the_wheel_has_its_page(posted):
    serving, crash_id = posted
    status, page = serving.get(f"/report/{crash_id}")
    assert status == 200
    assert "Lightbox 2.3.1" in re.sub("<[^>]*>", "", page)
    assert "SIGSEGV" in page
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(loaded) == 3
    for address in loaded:
        status, content_type, content = serving.fetch(address)
        assert (status, bool(content)) == (200, True), (address, content_type)


def test_the_signature_lists_of_the_wheel_are_in_use_and_its_commands_find_the_crash(posted):
    serving, crash_id = posted
    assert crash_id in serving.socorro("list").stdout
    found = serving.socorro("search", "product=Lightbox")
    assert crash_id in found.stdout, found.stderr
    explained = serving.socorro("signature", crash_id, "--explain")
    assert "prefix_signature_re.txt" in explained.stdout, explained.stdout + explained.stderr


def test_every_page_that_others_lead_to_is_there_in_an_installation_from_the_wheel(posted):
    serving, _ = posted
    statuses = {path: serving.get(path)[0] for path in ["/", *(item.path for item in NAVIGATION)]}
    assert statuses == dict.fromkeys(statuses, 200)
