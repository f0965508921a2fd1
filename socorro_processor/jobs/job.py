"""The parts of a job of ``socorro cron``:

    def run(work: Work) -> JobOutcome:
        work.say("all partitions are there", {"made": 0})
        return JobOutcome(True, "none had to be made")

    JOB = Job("partitions", "Make the partitions of the next weeks.", "socorro cron partitions", run)

Each job has its own file beside this one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from socorro_processor.configuration import DotDict
from socorro_processor.errors import ConfigurationError, SocorroError

Memory = dict[str, Any]
"""The memory of a job from one run to the next: small, and JSON."""


@dataclass(frozen=True)
class Work:
    """One run of a job."""

    arguments: argparse.Namespace
    values: DotDict
    """The whole configuration."""
    dry_run: bool
    """True if the job may change nothing, but only say what it would do."""
    memory: Memory
    """The memory that the last run left."""
    remember: Callable[[Memory], None]
    """Replaces the memory, however this run ends. Does nothing in a dry run."""
    say: Callable[[str, Mapping[str, Any]], None]
    """Print a line: the text for people, or the object for programs."""
    progress: Callable[[str], None]
    """Show the progress, for people at a terminal."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def today(self) -> date:
        """The date in UTC, like the dates of crash ids."""
        return self.now().astimezone(UTC).date()

    def nothing_to_do(self, why: str) -> JobOutcome:
        """Report that there is nothing to do: timers may run a job for which the configuration has nothing."""
        text = f"nothing to do: {why}"
        self.say(text, {"nothing_to_do": why})
        return JobOutcome(True, text)


class Refused(SocorroError):
    """A guard stopped the job, which is not a failure. The message names it, and the option that overrides it."""


class DayRefused(Refused, ConfigurationError):
    """The job cannot be done for that day."""


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended, unless it raised a SocorroError."""

    succeeded: bool
    summary: str
    """The line that ``socorro cron status`` shows."""


@dataclass(frozen=True)
class Job:
    """A job. It may run twice, and on two hosts at once: the second leaves the work to the first."""

    name: str
    summary: str
    example: str
    run: Callable[[Work], JobOutcome]
    add_arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    sections: tuple[str, ...] = ()
    """The sections of the configuration that it uses."""
    description: str = ""
    """Paragraphs that follow the summary in the help."""
    exit_codes: Mapping[int, str] = field(default_factory=dict)
    """The meaning of exit codes, if it is not simply done and not done."""
    interval: timedelta = timedelta(days=1)
    """The time between two runs by timers. After 1.5 times that, ``socorro cron status`` calls the job overdue."""
