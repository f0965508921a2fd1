"""The units of `make install-systemd` under a systemd: Debian in qemu, in which ``checks.py`` runs.

    make systemd-test                               all but production's configuration: 20 minutes
    make systemd-test PRODUCTION=yes                with it, and the services of `bin/services start` on this host
    make systemd-test CHECKS='reload stop'          only these, and what they need

Needs root on Debian 12, x86-64. It changes nothing on this machine, except that it installs qemu-system-x86 and
debootstrap if they are missing. Whatever is made only once, 1.5 GB, stays in a directory below /var/tmp
(SOCORRO_SYSTEMD_DIRECTORY names another). Exit codes: 0 all is well; 1 a check failed, or could not be made; 2 the
command line is wrong.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from bin.servers import debian, process
from tests.shared import REPOSITORY
from tests.systemd import checks
from tests.systemd.image import Failed, Image, say

PACKAGES = ("qemu-system-x86", "debootstrap")
LOOPBACK_OF_THE_HOST = "10.0.2.2"
"""In the machine: https://www.qemu.org/docs/master/system/devices/net.html, user mode."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.systemd", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checks", metavar="CHECK", nargs="*", help=f"of {', '.join(checks.CHECKS)}; none: all")
    parser.add_argument("--production", action="store_true", help="the check of that name, too, where all are meant")
    parser.add_argument("--within", metavar="SECONDS", type=float, default=7200.0, help="of the machine; default: 7200")
    arguments = parser.parse_args()
    if unknown := set(arguments.checks) - set(checks.CHECKS):
        parser.error(f"there is no check {', '.join(sorted(unknown))}; there are {', '.join(checks.CHECKS)}")
    chosen = [
        name
        for name in checks.CHECKS
        if name in checks.ALWAYS
        or name in arguments.checks
        or (not arguments.checks and (name != "production" or arguments.production))
    ]
    try:
        return test(chosen, arguments.within)
    except (Failed, OSError) as failure:
        print(f"systemd-test: {failure}", file=sys.stderr)
    return 1


def test(chosen: list[str], within: float) -> int:
    """Print the results of the checks, and return the exit code."""
    if os.getuid():
        raise Failed("only root can make a file system with all of Debian's owners in it")
    install_packages()
    directory = Path(os.environ.get("SOCORRO_SYSTEMD_DIRECTORY") or f"/var/tmp/socorro-systemd-{os.getuid()}")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        image = Image(directory)
        image.make_root()
        image.make_opt(chosen, services_of_the_host() if "production" in chosen else {})
        console, journal = directory / "console", directory / "journal"
        ended = boot(image, console, within)
        lines = image.read_opt(checks.RESULTS).splitlines()
        journal.write_text(image.read_opt(checks.JOURNAL))
    code = report(chosen, lines, ended)
    print(f"journal: {journal}, console: {console}")
    return code


def report(chosen: list[str], lines: list[str], ended: str) -> int:
    """Print what became of each chosen check, and return the exit code."""
    results = {line.partition(" ")[2].partition(":")[0]: line for line in lines}
    well = 0
    for name in chosen:
        line = results.get(name, f"missing {name}: {ended}")
        well += line.startswith("ok ")
        print(line)
    print(f"{well} of {len(chosen)} are well")
    return 0 if well == len(chosen) else 1


def boot(image: Image, console: Path, within: float) -> str:
    """Run the machine until it switches itself off. Return how it ended."""
    kernel, initrd = image.kernel()
    command = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "3G", "-smp", "2", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(initrd), "-append", "root=/dev/vda rw console=ttyS0"),
        *("-drive", f"file={image.root_disk},if=virtio,format=raw,snapshot=on"),
        *("-drive", f"file={image.opt_disk},if=virtio,format=raw"),
        *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net"),
        *("-display", "none", "-monitor", "none", "-serial", f"file:{console}"),
    ]
    say(f"running the checks in qemu; what it says: tail -f {console}")
    began = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as machine:
        try:
            code = machine.wait(within)
        except subprocess.TimeoutExpired:
            return f"it was not done after {within:.0f} s"
        finally:
            machine.kill()
    return f"the machine ended with {code} after {time.monotonic() - began:.0f} s"


def services_of_the_host() -> dict[str, str]:
    """Start production's services here, and return the variables by which the machine reaches them."""
    services = str(REPOSITORY / "bin" / "services")
    if subprocess.run([services, "start"]).returncode:
        raise Failed("bin/services could not start what production needs")
    lines = subprocess.run([services, "env"], check=True, capture_output=True, text=True).stdout.splitlines()
    assignments = (shlex.split(line)[1].split("=", 1) for line in lines)
    return {name: value.replace("127.0.0.1", LOOPBACK_OF_THE_HOST) for name, value in assignments}


def install_packages() -> None:
    """Install missing programs, as ``bin/services install`` does."""
    try:
        debian.install_missing(PACKAGES)
    except process.Failed as failure:
        raise Failed(str(failure)) from failure


if __name__ == "__main__":
    sys.exit(main())
