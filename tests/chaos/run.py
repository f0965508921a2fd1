"""A run that nobody watches, for tests."""

import signal
from pathlib import Path

import pytest

from tests.chaos.former_version import BEFORE_HEADERS_AND_ALIASES, FormerVersion, HistoryMissing
from tests.chaos.harness import Chaos, Settings
from tests.chaos.report import Report
from tests.chaos.rolling import SAVED_BY_EACH, VERSIONS, RollingSite
from tests.chaos.site import Site
from tests.shared import REPOSITORY


class Unwatched:
    def happened(self, text: str) -> None:
        pass

    def stands(self, text: str) -> None:
        pass


def run(site: Site, seconds: float = 2.0, rate: float = 5.0) -> Report:
    with site:
        return Chaos(site, Settings(seconds, 7, rate), Unwatched()).run()


def survive_a_minute(site: Site) -> None:
    report = run(site, seconds=60.0, rate=3.0)

    assert report.is_clean, "\n".join(report.lines())
    # A clean run must have tried something.
    assert sum(report.injected.values()) > 30
    assert report.ends[-signal.SIGKILL] > 3
    assert report.ends.total() > 10
    assert len(report.tally.parked) > 1
    assert report.counted["symbols.used.index"] > 20
    assert report.counted["companion.ended"] > 1


def former_version(
    directory: Path, commit: str = BEFORE_HEADERS_AND_ALIASES, repository: Path = REPOSITORY
) -> FormerVersion:
    """Skip the test if this copy has no history, even with ``CI=true``: a clone of the latest commit is fine."""
    try:
        return FormerVersion(directory, commit, repository)
    except HistoryMissing as error:
        pytest.skip(str(error))


def upgrade_in_the_midst(site: RollingSite) -> None:
    report = run(site, seconds=20.0, rate=6.0)

    assert report.is_clean, "\n".join(report.lines())
    # A clean run must have tried something.
    assert len(report.submitted) > 100
    assert report.tally.parked
    assert report.tally.rejected
    for version in VERSIONS:
        assert site.started(version) > 2
        assert site.saved(version) > SAVED_BY_EACH
