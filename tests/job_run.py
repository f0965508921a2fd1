"""A job of ``socorro cron``, run in this process at the time that a test sets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import Configuration, Source
from socorro_processor.jobs.job import Job, JobOutcome, Work


class JobRun:
    """Runs jobs with a configuration; ``lines`` is the output for people, ``objects`` that for programs."""

    def __init__(self, options: Mapping[str, Any], now: datetime) -> None:
        self.options = {key: str(value) for key, value in options.items()}
        self.now = now
        self.lines: list[str] = []
        self.objects: list[Mapping[str, Any]] = []

    def __call__(self, job: Job, *arguments: str, dry_run: bool = False, **options: object) -> JobOutcome:
        """``options`` are named with ``__`` in place of dots."""
        parser = argparse.ArgumentParser()
        job.add_arguments(parser)
        more = {key.replace("__", "."): str(value) for key, value in options.items()}
        values = Configuration(ProcessorApp.get_required_config(), [Source(self.options | more)]).values
        self.lines, self.objects = [], []
        return job.run(
            Work(
                arguments=parser.parse_args(arguments),
                values=values,
                dry_run=dry_run,
                memory={},
                remember=lambda memory: None,
                say=self._say,
                progress=lambda text: None,
                now=lambda: self.now,
            )
        )

    def _say(self, text: str, words: Mapping[str, Any]) -> None:
        self.lines.append(text)
        self.objects.append(words)


def noon(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)
