"""The weekly indexes: which one a crash is in, and that none is without the mapping."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from elasticsearch import BadRequestError, NotFoundError

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.crash_id import crash_date
from socorro_processor.crashstorage.elasticsearch.connection import ElasticsearchConnection
from socorro_processor.crashstorage.elasticsearch.mapping import MAPPINGS, META, SETTINGS, VERSION
from socorro_processor.errors import TransientStorageError

logger = logging.getLogger(__name__)

DAYS_AHEAD = 2
"""A crash id dated further in the future is in the index for others."""

_PRIORITY = 200
"""Of the template: over those that a cluster brings along."""

_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
"""Of all crash ids."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,199}", re.ASCII)
_DIRECTIVES = re.compile(r"%.*%-?\w|%-?\w", re.DOTALL)


def index_pattern(text: str) -> str:
    """Converts the option: a pattern for ``strftime`` that always makes the name of an index."""
    if not _NAME.fullmatch(date(2016, 11, 23).strftime(text)):
        raise ValueError("a pattern such as socorro%Y%W: lower-case letters, digits, '_', '-', '.' and parts of a date")
    return text


def today() -> date:
    """In UTC, as the dates of crash ids are."""
    return datetime.now(UTC).date()


class WeeklyIndexes(RequiredConfig):
    """One index a week (or whatever ``elasticsearch_index`` makes of a date) by the dates of crash ids.

    Crash ids are strangers' words: those of unlikely dates share one index, so that they do not make
    an index each. With the default pattern that is ``socorro-other``, and the template ``socorro``
    gives all of them the mapping.
    """

    required_config = Namespace()
    required_config.add_option(
        "elasticsearch_index",
        default="socorro%Y%W",
        doc="the index of a crash, as a pattern for strftime of the day in its crash id",
        from_string_converter=index_pattern,
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "elasticsearch_shards_per_index",
        default=1,
        doc="primary shards of an index that is made from now on",
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "oldest_crash_days",
        default=400,
        doc="crashes of older ids go to one index for all of them, as do those dated in the future",
    )

    def __init__(self, config: DotDict, connection: ElasticsearchConnection, today: Callable[[], date] = today) -> None:
        self.config = config
        self._connection = connection
        self._today = today
        self._known: set[str] = set()
        pattern: str = config.elasticsearch_index
        self.template = pattern.partition("%")[0].rstrip("-_.") or "crashes"
        self.other = f"{self.template}-other"

    def index_of(self, crash_id: str) -> str:
        """Where a crash is to be saved. Raises InvalidCrashID."""
        age = self._today() - crash_date(crash_id)
        if timedelta(days=-DAYS_AHEAD) <= age <= timedelta(days=self.config.oldest_crash_days):
            return self.week_of(crash_id)
        return self.other

    def week_of(self, crash_id: str) -> str:
        """Where a crash was saved if its date was likely at that time. Raises InvalidCrashID."""
        return crash_date(crash_id).strftime(self.config.elasticsearch_index)

    def patterns(self) -> list[str]:
        """What matches the names of all indexes, and of no others whose names only begin alike."""
        pattern: str = self.config.elasticsearch_index
        weeks = _DIRECTIVES.sub(lambda found: "2*" if found[0][:2] in ("%Y", "%G") else "*", pattern)
        return [weeks, self.other]

    def by_last_day(self) -> list[tuple[date, str]]:
        """The indexes that there are, but for that of the others, each with the last day whose crashes it takes.

        Only names that the pattern makes of a day are among them, and none that only look alike.
        """
        with self._connection.sorted_errors("list the indexes"):
            answer = self._connection.client.indices.get_settings(
                index=self.patterns(), name="index.creation_date", ignore_unavailable=True, allow_no_indices=True
            )
        there = set(answer.body)
        pattern: str = self.config.elasticsearch_index
        days = (_FIRST_DAY + timedelta(days=number) for number in range((_LAST_DAY - _FIRST_DAY).days + 1))
        last_days = {day.strftime(pattern): day for day in days}
        return sorted((last_days[index], index) for index in there if index in last_days and index != self.other)

    def drop(self, index: str) -> None:
        """Delete an index, with all that is in it. One that is gone already is no error."""
        with self._connection.sorted_errors(f"delete index {index}"), suppress(NotFoundError):
            self._connection.client.indices.delete(index=index)
        self._known.discard(index)
        logger.info("index %s deleted from Elasticsearch", index)

    def server_time(self) -> datetime:
        with self._connection.sorted_errors("ask for the time"):
            statistics = self._connection.client.cluster.stats().body
        return datetime.fromtimestamp(statistics["timestamp"] / 1000, UTC)

    def make(self, index: str) -> None:
        """Make sure that an index is there, and has our mapping. Asks the cluster once for each index.

        An index that a save makes by itself has it only if the template is there: so that is looked
        for first, and both are looked at before anything is saved.
        """
        if index in self._known:
            return
        if (self._template_version() or 0) < VERSION:
            self.put_template()
        if not self._is_mapped(index):
            raise TransientStorageError(
                f"index {index} was made without the template {self.template}, and would make a field of each "
                "annotation: delete it, and any index template of a higher priority that matches its name"
            )
        self._known.add(index)

    def put_template(self) -> None:
        """Put the index template, in place of the one that may be there."""
        settings = {**SETTINGS, "number_of_shards": self.config.elasticsearch_shards_per_index}
        template: dict[str, Any] = {"mappings": MAPPINGS, "settings": {"index": settings}}
        with self._connection.sorted_errors(f"put the index template {self.template}"):
            self._connection.client.indices.put_index_template(
                name=self.template,
                index_patterns=self.patterns(),
                priority=_PRIORITY,
                template=template,
                version=VERSION,
            )

    def check(self) -> None:
        """Raise TransientStorageError where the cluster, or the template, is not there."""
        with self._connection.sorted_errors("ask for the health of the cluster"):
            status = self._connection.client.cluster.health().body["status"]
        if status == "red":
            raise TransientStorageError("the Elasticsearch cluster is red: some of its data is not there")
        if self._template_version() is None:
            raise TransientStorageError(f"Elasticsearch has no index template {self.template}: run `socorro setup`")

    def _is_mapped(self, index: str) -> bool:
        indices = self._connection.client.indices
        with self._connection.sorted_errors(f"make index {index}"):
            try:
                found = indices.get_mapping(index=index).body
            except NotFoundError:
                try:
                    indices.create(index=index)
                except BadRequestError as error:
                    if error.message != "resource_already_exists_exception":  # made by another one just now
                        raise
                found = indices.get_mapping(index=index).body
        return all(META in each["mappings"].get("_meta", {}) for each in found.values())

    def _template_version(self) -> int | None:
        with self._connection.sorted_errors(f"look for the index template {self.template}"):
            try:
                found = self._connection.client.indices.get_index_template(name=self.template).body
            except NotFoundError:
                return None
        return int(found["index_templates"][0]["index_template"].get("version", 0))
