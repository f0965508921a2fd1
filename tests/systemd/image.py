"""Two disks of a virtual machine: Debian with a systemd, made once, and `/opt` with this checkout, made anew each time.

Debian's disk is a file system that nobody changes: a run's changes are discarded. `/opt` holds the checkout, its
virtual environment and the checks, and brings back their results.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from socorro_processor import __version__
from tests.shared import REPOSITORY, stackwalker
from tests.systemd import checks

SUITE = "bookworm"
PYTHON = (3, 11)
"""The Python of the suite: wheels for it are made here."""
MIRROR = os.environ.get("SOCORRO_DEBIAN_MIRROR", "http://deb.debian.org/debian")
PACKAGES = ("systemd-sysv", "udev", "dbus", "linux-image-cloud-amd64", "python3-venv", "make", "bubblewrap")
"""The minimum; `kill` comes from procps."""
ROOT_SIZE = "2G"
OPT_SIZE = "1G"
FILES = {
    "etc/hostname": "systemd-test\n",
    "etc/fstab": "/dev/vda / ext4 defaults 0 0\n/dev/vdb /opt ext4 defaults 0 0\n",
    "etc/resolv.conf": "",
    # The address of the host, for services on its loopback, is 10.0.2.2.
    "etc/systemd/network/50-qemu.network": "[Match]\nName=en* eth*\n\n[Network]\nAddress=10.0.2.15/24\n",
    "etc/systemd/system/socorro-checks.service": """\
[Unit]
Description=Checks of this project's units
After=multi-user.target
RequiresMountsFor=/opt

[Service]
Type=oneshot
WorkingDirectory=/opt/socorro
ExecStart=/usr/bin/python3 -m tests.systemd.checks
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=journal+console
""",
}
_ENABLED = "etc/systemd/system/multi-user.target.wants"
LINKS = {
    f"{_ENABLED}/socorro-checks.service": "/etc/systemd/system/socorro-checks.service",
    f"{_ENABLED}/systemd-networkd.service": "/lib/systemd/system/systemd-networkd.service",
}


class Failed(Exception):
    """An error that is printed in one line, without a traceback."""


class Image:
    """The disks, in a directory that keeps what is made only once."""

    def __init__(self, directory: Path) -> None:
        self.debian = directory / "debian"
        """Debian's tree: the virtual environment is made in it."""
        self.root_disk = directory / "root.img"
        self.opt_disk = directory / "opt.img"
        self._opt = self.debian / "opt"
        self._tree_made = directory / "debian.made"
        self._disk_made = directory / "root.made"
        """The recipe that each was made with."""
        self._wheels = directory / "wheels"

    def kernel(self) -> tuple[Path, Path]:
        """Return the newest kernel and its initrd."""
        kernel = max(self.debian.glob("boot/vmlinuz-*"))
        return kernel, kernel.with_name(kernel.name.replace("vmlinuz", "initrd.img"))

    def make_root(self) -> None:
        """Make Debian's tree and disk, if there are none of this recipe yet."""
        packages = hashlib.sha256(repr((SUITE, PACKAGES)).encode()).hexdigest()
        if not _is_made(self._tree_made, packages):
            say(f"making a Debian {SUITE} in {self.debian}: 200 MB from {MIRROR}, a few minutes")
            remove(self.debian)
            run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(self.debian), MIRROR)
            remove(self.debian / "var/cache/apt/archives")
            self._tree_made.write_text(packages)
            self._disk_made.unlink(missing_ok=True)
        files = hashlib.sha256(repr((packages, ROOT_SIZE, FILES, LINKS)).encode()).hexdigest()
        if not _is_made(self._disk_made, files):
            for name, text in FILES.items():
                self._clear(name).write_text(text)
            for name, target in LINKS.items():
                self._clear(name).symlink_to(target)
            remove(self._opt)
            self._opt.mkdir()
            make_disk(self.root_disk, self.debian, ROOT_SIZE)
            self._disk_made.write_text(files)

    def _clear(self, name: str) -> Path:
        path = self.debian / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return path

    def make_opt(self, chosen: list[str], production: dict[str, str]) -> None:
        """Copy the files under test: those of this checkout as they are now."""
        if sys.version_info[:2] != PYTHON:
            raise Failed(f"Debian {SUITE} has Python {PYTHON[0]}.{PYTHON[1]}: run this with the same")
        self._make_environment()
        checkout = self._opt / "socorro"
        for path in checkout.iterdir():
            if path.name != ".venv":
                remove(path)
        copy_checkout(checkout)
        self._install(self._wheel(checkout, "wheel", __version__))
        newer = self._opt / "newer"
        remove(newer)
        newer.mkdir()
        wheel = self._wheel(checkout, "newer-wheel", f"{__version__}.post1")
        shutil.copy(wheel, newer)
        self._copy_checks(chosen, production)
        make_disk(self.opt_disk, self._opt, OPT_SIZE)

    def read_opt(self, path: Path) -> str:
        """Return the text of a file below ``/opt`` as the machine has left it; empty if it is missing."""
        inner = f"/{path.relative_to('/opt')}"
        shown = subprocess.run(
            ["debugfs", "-R", f"cat {inner}", str(self.opt_disk)], capture_output=True, text=True, errors="replace"
        )
        return shown.stdout

    def _make_environment(self) -> None:
        """Make a virtual environment with the packages of requirements.txt, which is kept until that file changes."""
        requirements = REPOSITORY / "requirements.txt"
        recipe = hashlib.sha256(requirements.read_bytes()).hexdigest()
        environment = self._opt / "socorro" / ".venv"
        made = environment / "made"
        if not made.exists() or made.read_text() != recipe:
            say("making its virtual environment")
            remove(environment)
            remove(self._wheels)
            environment.parent.mkdir(parents=True, exist_ok=True)
            pip("wheel", "--require-hashes", "--requirement", str(requirements), "--wheel-dir", str(self._wheels))
            in_debian = self._opt / "wheels"
            remove(in_debian)
            shutil.copytree(self._wheels, in_debian)
            self._chroot("python3", "-m", "venv", "/opt/socorro/.venv")
            self._pip_there(*(f"/opt/wheels/{path.name}" for path in sorted(in_debian.glob("*.whl"))))
            remove(in_debian)
            made.write_text(recipe)
        shutil.copy(stackwalker().resolve(), environment / "bin" / "minidump-stackwalk")

    def _wheel(self, checkout: Path, name: str, version: str) -> Path:
        """Build a wheel of the checkout under another version."""
        source, built = self._wheels / name / "source", self._wheels / name / "built"
        remove(source.parent)
        shutil.copytree(checkout, source, ignore=shutil.ignore_patterns(".venv"))
        package = source / "socorro_processor" / "__init__.py"
        text = package.read_text()
        package.write_text(text.replace(f'__version__ = "{__version__}"', f'__version__ = "{version}"'))
        pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(source))
        (wheel,) = built.glob("*.whl")
        return wheel

    def _install(self, wheel: Path) -> None:
        there = self._opt / wheel.name
        shutil.copy(wheel, there)
        self._pip_there("--force-reinstall", f"/opt/{wheel.name}")
        there.unlink()

    def _pip_there(self, *arguments: str) -> None:
        self._chroot("/opt/socorro/.venv/bin/pip", "install", "--quiet", "--no-index", "--no-deps", *arguments)

    def _chroot(self, *command: str) -> None:
        run("chroot", str(self.debian), "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin", "LANG=C.UTF-8", *command)

    def _copy_checks(self, chosen: list[str], production: dict[str, str]) -> None:
        here = self.debian / checks.HERE.relative_to("/")
        remove(here)
        here.mkdir()
        below(self.debian, checks.CHOSEN).write_text("\n".join(chosen) + "\n")
        below(self.debian, checks.PRODUCTION).write_text("".join(f"{k}={v}\n" for k, v in production.items()))
        below(self.debian, checks.BUBBLEWRAPPED).write_text(sandbox_of_the_docs())


def _is_made(stamp: Path, recipe: str) -> bool:
    return stamp.exists() and stamp.read_text() == recipe


def sandbox_of_the_docs() -> str:
    """Return the section of docs/security.rst that puts bubblewrap before the stackwalker."""
    text = (REPOSITORY / "docs" / "security.rst").read_text()
    begin = text.index("[[[BreakpadStackwalkerRule2015]]]")
    return text[begin : text.index("'''", text.index("sandbox = '''") + len("sandbox = '''")) + 3]


def copy_checkout(target: Path) -> None:
    """Copy all files that git tracks or would add, as they are in the working tree."""
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)


def make_disk(disk: Path, tree: Path, size: str) -> None:
    """Make a file system with the tree on it."""
    disk.unlink(missing_ok=True)
    run("mkfs.ext4", "-q", "-d", str(tree), str(disk), size)


def below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def pip(*arguments: str) -> None:
    run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def say(text: str) -> None:
    print(text, flush=True)


def run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise Failed(f"{' '.join(command[:6])} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")
