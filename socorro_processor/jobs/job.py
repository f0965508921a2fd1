"""What a job of ``socorro cron`` is made of:

    def run(work: Work) -> JobOutcome:
        work.say("all partitions are there", {"made": 0})
        return JobOutcome(True, "none had to be made")

    JOB = Job("partitions", "Make the partitions of the next weeks.", "socorro cron partitions", run)

One file a job, beside this one.
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
"""What a job remembers from one run to the next: small, and JSON."""


@dataclass(frozen=True)
class Work:
    """One run of a job."""

    arguments: argparse.Namespace
    values: DotDict
    """The whole configuration."""
    dry_run: bool
    """Change nothing, only say what would be done."""
    memory: Memory
    """What the last run remembered."""
    remember: Callable[[Memory], None]
    """Remember this from now on, whatever becomes of this run. Nothing happens in a dry run."""
    say: Callable[[str, Mapping[str, Any]], None]
    """Print a line: the text for people, or the object for programs."""
    progress: Callable[[str], None]
    """How far it is, for whoever looks at a terminal."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def today(self) -> date:
        """In UTC, as the dates of crash ids are."""
        return self.now().astimezone(UTC).date()

    def nothing_to_do(self, why: str) -> JobOutcome:
        """Timers may be the same everywhere, also where the configuration has none of what a job is for."""
        text = f"nothing to do: {why}"
        self.say(text, {"nothing_to_do": why})
        return JobOutcome(True, text)


class Refused(SocorroError):
    """A guard keeps the job from its work, which is no failure of it; the message says which, and what goes over it."""


class DayRefused(Refused, ConfigurationError):
    """That is no day to do it for."""


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended. A SocorroError that it raises is an end too."""

    succeeded: bool
    summary: str
    """A line that ``socorro cron status`` shows."""


@dataclass(frozen=True)
class Job:
    """Safe to be run twice, and from two hosts at once: the second of them lets the first do it."""

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
    """The meaning of exit codes, where it is not just done and not done."""
    every: timedelta = timedelta(days=1)
    """How often timers begin it. Once half as much again is over, ``socorro cron status`` calls it overdue."""
