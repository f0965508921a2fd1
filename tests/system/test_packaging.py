"""make, pip and an operator without a checkout can use the source distribution, and the wheel built from it."""

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.shared import REPOSITORY, stackwalker
from tests.system.serving import Serving

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
    # Its dependencies are those of the tests. Their editable installation is not followed from here.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return directory / "bin", site


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


def test_the_server_runs_from_the_wheel(installed, tmp_path):
    programs, _ = installed
    serving = Serving(tmp_path, (str(programs / "socorro"),))
    serving.environment["SOCORRO_STACKWALKER"] = str(stackwalker())
    try:
        serving.start()
        serving.wait_until_ready()
        assert "/submit" in serving.get("/")[1]
        assert serving.stop() == 0
    finally:
        serving.close()
