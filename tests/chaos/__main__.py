"""Break everything that can break, at random, and check that no crash is lost.

Processors run, a collector submits crashes, and what they need goes wrong all the time: processors are killed, the
stackwalker hangs, disks are full, services are away. Then all is mended, and once the queues are empty every crash that
was submitted must be in every destination, or where it belongs: crashes that kill their processor are parked, with
the reason. Nothing may be left behind: no file, no process.

The same seed makes the same plan. Exit code: 0 clean; 1 a crash is lost, parked without cause or not processed in
time, or something is left behind; the data and logs of the run are kept then.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.status import Status

from tests.chaos.embedded import EmbeddedSite
from tests.chaos.former_version import FormerVersion
from tests.chaos.harness import Chaos, Settings
from tests.chaos.lanes import PROCESSORS
from tests.chaos.plan import make_plan
from tests.chaos.production import ProductionSite
from tests.chaos.rolling import VERSIONS, RollingEmbedded, RollingProduction, RollingSite
from tests.chaos.served import ServedSite
from tests.chaos.site import Site
from tests.services import services_of_a_run

SITES: dict[str, type[Site]] = {"production": ProductionSite, "embedded": EmbeddedSite, "serve": ServedSite}
ROLLING_SITES: dict[str, type[Site]] = {"production": RollingProduction, "embedded": RollingEmbedded}

EXAMPLE = "example:\n  python -m tests.chaos --seconds=60 --seed=7 --configuration=embedded"


class OnConsole:
    """Prints faults as lines; on a terminal, also the state of the run below them."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status

    def happened(self, text: str) -> None:
        self._console.print(text)

    def stands(self, text: str) -> None:
        self._status.update(text)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=600, help="how long things go wrong (default: 600)")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="of the plan (default: another)")
    parser.add_argument("--configuration", choices=SITES, default=next(iter(SITES)), help="which is run")
    parser.add_argument("--rate", type=float, default=5.0, help="crashes submitted a second (default: 5)")
    parser.add_argument("--processors", type=int, default=PROCESSORS, help=f"how many (default: {PROCESSORS})")
    parser.add_argument(
        "--first",
        choices=VERSIONS,
        help="a rolling upgrade, which begins with this version: processors are of the former one or the new one",
    )
    parser.add_argument("--plan", action="store_true", help="only print what would go wrong, and when")
    parser.add_argument("--keep", action="store_true", help="keep data and logs, also of a clean run")
    arguments = parser.parse_args()
    if arguments.first and arguments.configuration not in ROLLING_SITES:
        parser.error(f"there is no rolling upgrade of the configuration {arguments.configuration}")
    site_class = (ROLLING_SITES if arguments.first else SITES)[arguments.configuration]
    if arguments.plan:
        print(*make_plan(site_class.lanes_with(arguments.processors), arguments.seconds, arguments.seed), sep="\n")
        return 0
    console = Console(highlight=False, markup=False, soft_wrap=True)
    directory = Path(tempfile.mkdtemp(prefix="socorro-chaos-"))
    settings = Settings(arguments.seconds, arguments.seed, arguments.rate)
    is_clean = False
    site = _site(site_class, directory, arguments)
    with console.status("starting") as status, services_of_a_run(), site:
        try:
            report = Chaos(site, settings, OnConsole(console, status)).run()
            is_clean = report.is_clean
            status.stop()
            for line in report.lines():
                console.print(line)
        finally:
            if arguments.keep or not is_clean:
                # While its disks are mounted.
                kept = shutil.copytree(directory, f"{directory}-kept", symlinks=True)
                console.print(f"the data and logs of this run are kept in {kept}")
    shutil.rmtree(directory)
    return 0 if is_clean else 1


def _site(site_class: type[Site], directory: Path, arguments: argparse.Namespace) -> Site:
    if issubclass(site_class, RollingSite):
        return site_class(directory, arguments.first, FormerVersion(directory / "former"), arguments.processors)
    return site_class(directory, {}, arguments.processors)


if __name__ == "__main__":
    sys.exit(main())
