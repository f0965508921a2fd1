import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared import REPOSITORY, SAMPLES, require, stackwalker
from tests.system.daemon import Daemon, Installation, eventually
from tests.system.production import Production, production
from tests.system.walked_page import Shell, WalkedPage


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """A new installation, with the samples' symbols and a real stackwalker."""
    stackwalker()
    installation = Installation(tmp_path, SAMPLES / "symbols")
    yield installation
    installation.close()


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[WalkedPage]:
    """A reader of a page in a clone of the project, whose virtual environment is already there."""
    stackwalker()
    environment = Path(sys.prefix)
    require((environment / "bin" / "activate").is_file(), "the tests do not run in a virtual environment: make test")
    directory = tmp_path / "socorro-processor"
    directory.mkdir()
    for name in ("bin", "config", "siglists"):
        shutil.copytree(REPOSITORY / name, directory / name)
    shutil.copytree(SAMPLES, directory / "samples", ignore=shutil.ignore_patterns("symbols.index", "target"))
    shutil.copy(REPOSITORY / "Makefile", directory)
    (directory / ".venv").symlink_to(environment)
    shell = Shell(directory, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    try:
        shell.run("make() { command make --no-print-directory --old-file=.venv/.installed --old-file=stackwalker $*; }")
        yield WalkedPage(shell)
    finally:
        shell.close()


class SlowWalker:
    """A stackwalker that waits until it is released, and then runs the real one."""

    def __init__(self, directory: Path) -> None:
        self._pid = directory / "pid"
        self._fifo = directory / "fifo"
        self._free = directory / "free"
        os.mkfifo(self._fifo)
        self.path = directory / "slow-walker"
        self.path.write_text(
            "#!/bin/sh\n"
            f'case "$*" in *stackwalker-check* | --version) exec {stackwalker()} "$@"; esac\n'
            f"echo $$ > {self._pid}.new; mv {self._pid}.new {self._pid}\n"
            f"[ -e {self._free} ] || cat {self._fifo} > {os.devnull}\n"
            f'exec {stackwalker()} "$@"\n'
        )
        self.path.chmod(0o755)

    def wait_until_it_runs(self) -> None:
        eventually(self._pid.exists)

    def let_it_go_on(self) -> None:
        """Release this run and all later ones."""
        self._free.touch()
        os.close(os.open(self._fifo, os.O_RDWR))

    def is_gone(self) -> bool:
        pid = self._pid.read_text().strip()
        eventually(lambda: not Path("/proc", pid).exists())
        return True


@pytest.fixture
def slow_walker(installation: Installation, tmp_path: Path) -> SlowWalker:
    directory = tmp_path / "walker"
    directory.mkdir()
    walker = SlowWalker(directory)
    installation.walker(command_pathname=str(walker.path))
    return walker


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """A production installation for all tests that do not change it; each test has its own crashes."""
    stackwalker()
    with production(tmp_path_factory.mktemp("site")) as site:
        site.walker(symbols_path=str(SAMPLES / "symbols"))
        yield site


@pytest.fixture
def site_daemon(site: Production) -> Iterator[Daemon]:
    """The processor of that installation, which runs during this test."""
    daemon = site.start("--health.port=0")
    yield daemon
    daemon.stop()
