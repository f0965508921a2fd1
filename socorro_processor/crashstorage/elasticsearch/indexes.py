"""The weekly indexes: find the index of a crash, and never write to one without the mapping.

Elasticsearch makes an index for any name that somebody writes to. If the template is missing too, as in an empty
cluster in place of the old one, that index has a field for each annotation. So crashes are written through an alias,
which no write makes: the template gives it to each index (``socorro201647.write``), and it is deleted with the index.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from elasticsearch import AuthorizationException, BadRequestError, NotFoundError

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.crash_id import DAYS_AHEAD, FIRST_DAY, LAST_DAY, crash_date, today
from socorro_processor.crashstorage.elasticsearch.connection import ElasticsearchConnection
from socorro_processor.crashstorage.elasticsearch.mapping import (
    META,
    SETTINGS,
    SETTINGS_OF_THE_MAPPING,
    VERSION,
    Properties,
    mappings_of,
    missing_properties,
    properties_of,
    with_properties,
)
from socorro_processor.errors import PartlyAwayError, TransientStorageError
from socorro_processor.fields import FieldTable, field_options
from socorro_processor.untrusted import plain

logger = logging.getLogger(__name__)

_PRIORITY = 200
"""The priority of the template, above those that a cluster has from the start."""

KNOWN_FOR = 60.0
"""Seconds after which the template and an index are checked again."""

_MADE_WITHIN = "2s"
_NOT_IN_TIME = 408

_SUFFIX = ".write"

_NO_TEMPLATE: tuple[int, Properties] = (-1, {})

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,199}", re.ASCII)
_DIRECTIVES = re.compile(r"%.*%-?\w|%-?\w", re.DOTALL)


def index_pattern(text: str) -> str:
    """Convert the option: a pattern for ``strftime`` that always makes the name of an index. Raises ValueError."""
    if not _NAME.fullmatch(date(2016, 11, 23).strftime(text)):
        raise ValueError("a pattern such as socorro%Y%W: lower-case letters, digits, '_', '-', '.' and parts of a date")
    return text


class ForeignIndex(PartlyAwayError):
    """Another program put an index without our mapping, or an alias, in place of ours. We do not write to it."""


class WeeklyIndexes(RequiredConfig):
    """Makes an index for each week (or other period of ``elasticsearch_index``), by the dates of crash ids.

    Crash ids come from strangers: crashes with unlikely dates share one index, so that there are not too many. With
    the default pattern it is called ``socorro-other``, and the template ``socorro`` gives all indexes the mapping.
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
        doc="primary shards of each index that is made from now on",
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "oldest_crash_days",
        default=400,
        doc="days; crashes whose ids are older, or dated in the future, share one index",
    )
    required_config.update(field_options())

    def __init__(
        self,
        config: DotDict,
        connection: ElasticsearchConnection,
        today: Callable[[], date] = today,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self._connection = connection
        self._today = today
        self._clock = clock
        self._properties = properties_of(FieldTable.of(config))
        self._looked_at: dict[str, float] = {}
        """The time at which each index was last found to be as the template makes it."""
        self._former: list[str] = []
        self._looked_for_former = float("-inf")
        self._names: set[str] = set()
        """The names of the indexes of all days; empty until they are needed."""
        pattern: str = config.elasticsearch_index
        self.template = pattern.partition("%")[0].rstrip("-_.") or "crashes"
        self.other = f"{self.template}-other"

    def index_of(self, crash_id: str) -> str:
        """Return the index in which a crash is to be saved. Raises InvalidCrashID."""
        age = self._today() - crash_date(crash_id)
        if timedelta(days=-DAYS_AHEAD) <= age <= timedelta(days=self.config.oldest_crash_days):
            return self.dated_index_of(crash_id)
        return self.other

    def dated_index_of(self, crash_id: str) -> str:
        """Return the index in which a crash was saved if its date was likely at that time. Raises InvalidCrashID."""
        return crash_date(crash_id).strftime(self.config.elasticsearch_index)

    def patterns(self) -> list[str]:
        """Return patterns that match the names of all our indexes, and no others that only begin alike."""
        pattern: str = self.config.elasticsearch_index
        weeks = _DIRECTIVES.sub(lambda found: "2*" if found[0][:2] in ("%Y", "%G") else "*", pattern)
        return [weeks, self.other]

    def by_last_day(self) -> list[tuple[date, str]]:
        """Return the existing indexes of days, each after the last day whose crashes it takes, in order.

        Only names that the pattern makes from a day are among them, not others that look alike.
        """
        last_days = self._last_days()
        return sorted(
            (last_days[index], index)
            for index in self._existing_indexes()
            if index in last_days and index != self.other
        )

    def former_indexes(self) -> list[str]:
        """Return the indexes that another ``elasticsearch_index`` has made, and whose names match ``patterns``.

        Crashes of any day may be in them. The cluster is asked no more often than by ``make``.
        """
        now = self._clock()
        if now - self._looked_for_former >= KNOWN_FOR:
            others = sorted(self._existing_indexes() - {self.other} - self._indexes_in_use())
            if others and not self._names:
                self._names = {self.other, *self._last_days()}
            behind = self._look_up(*others) if not self._names.issuperset(others) else {}
            self._former = sorted(index for index, each in behind.items() if self._is_former(index, each))
            self._looked_for_former = now
        return self._former

    def drop(self, index: str) -> None:
        """Delete an index with its content. It is not an error if it is gone already."""
        with self._connection.translate_errors(f"delete index {index}"), suppress(NotFoundError):
            self._connection.client.indices.delete(index=index)
        self._looked_at.pop(index, None)
        logger.info("index %s deleted from Elasticsearch", index)

    def server_time(self) -> datetime:
        with self._connection.translate_errors("ask for the time"):
            statistics = self._connection.client.cluster.stats().body
        return datetime.fromtimestamp(statistics["timestamp"] / 1000, UTC)

    def make(self, index: str) -> str:
        """Make sure that an index exists, with our mapping; return the alias through which to write to it.

        The cluster is asked again after ``KNOWN_FOR`` seconds, and after ``forget``. Raises ForeignIndex.
        """
        now = self._clock()
        alias = f"{index}{_SUFFIX}"
        if now - self._looked_at.get(index, float("-inf")) < KNOWN_FOR:
            return alias
        version, properties = self._template()
        if version < VERSION:
            self.put_template()
        elif version == VERSION and missing_properties(self._properties, properties):
            # Another processor has fields of its own, which stay: the two would replace each other's template for ever.
            self.put_template(properties)
        existing = self._look_up(index, alias)
        if not existing:
            self._create(index, version)
            existing = self._look_up(index, alias)
        self._refuse_foreign(existing)
        target = _write_index(index, existing)
        if target is None:
            raise ForeignIndex(
                f"cannot write to {index}: one of the indexes behind it ({', '.join(sorted(existing)) or 'none'}) "
                "must be its write index"
            )
        if _write_index(alias, existing) != target:
            self._put_alias(alias, target)
        self._add_fields(target, existing[target]["mappings"])
        self._looked_at[index] = now
        return alias

    def forget(self) -> None:
        """Forget what the cluster has: it may be another one, or may have lost indexes and template."""
        self._looked_at.clear()
        self._looked_for_former = float("-inf")

    def setup(self) -> None:
        """Put the template, and give existing indexes the alias that older versions did not make."""
        self.put_template()
        self.forget()
        ours = [index for _, index in self.by_last_day()]
        others = [self.other] if self._look_up(self.other) else []
        for index in [*ours, *others]:
            try:
                self.make(index)
            except ForeignIndex as error:
                logger.warning("%s", error)

    def put_template(self, more: Properties | None = None) -> None:
        """Put the index template in place of any earlier one, with ``more`` properties besides our own."""
        mappings = mappings_of(with_properties(self._properties, more or {}))
        settings = {**SETTINGS, "number_of_shards": self.config.elasticsearch_shards_per_index}
        aliases: dict[str, Any] = {f"{{index}}{_SUFFIX}": {}}
        template: dict[str, Any] = {"mappings": mappings, "settings": {"index": settings}, "aliases": aliases}
        with self._connection.translate_errors(f"put the index template {self.template}"):
            self._connection.client.indices.put_index_template(
                name=self.template,
                index_patterns=self.patterns(),
                priority=_PRIORITY,
                template=template,
                version=VERSION,
            )

    def check(self) -> None:
        """Raise TransientStorageError if nothing could be saved today: the cluster is away, or an index is foreign."""
        self.check_template()
        self._refuse_foreign(self._look_up(self._today().strftime(self.config.elasticsearch_index)))

    def check_template(self) -> None:
        """Raise TransientStorageError if a part of the cluster, or the template, is missing."""
        if self.health() == "red":
            raise TransientStorageError("the Elasticsearch cluster is red: some of its data is not there")
        if self._template() == _NO_TEMPLATE:
            raise TransientStorageError(
                f"Elasticsearch has no index template {self.template}: "
                "run `socorro setup`, or wait for the next crash, which puts it"
            )

    def health(self) -> str:
        """Return the color of the cluster. Raises TransientStorageError if it does not answer.

        A cluster is red for a moment while an index is made; the request waits for that to pass.
        """
        with self._connection.translate_errors("ask for the health of the cluster"):
            answer = self._connection.client.options(ignore_status=_NOT_IN_TIME).cluster.health(
                wait_for_status="yellow", timeout=_MADE_WITHIN
            )
        return str(answer.body["status"])

    def _existing_indexes(self) -> set[str]:
        """Return the names of the existing indexes that match ``patterns``."""
        with self._connection.translate_errors("list the indexes"):
            answer = self._connection.client.indices.get_settings(
                index=self.patterns(), name="index.creation_date", ignore_unavailable=True, allow_no_indices=True
            )
        return set(answer.body)

    def _is_former(self, index: str, each: Mapping[str, Any]) -> bool:
        # An index behind an alias that somebody put in place of one of today's is not a former one.
        names = {index, *(alias.removesuffix(_SUFFIX) for alias in each["aliases"])}
        return self._names.isdisjoint(names) and _has_our_mapping(each["mappings"])

    def _indexes_in_use(self) -> set[str]:
        """Return the names of all indexes of days to which a crash may be saved today."""
        oldest: int = self.config.oldest_crash_days
        days = (self._today() - timedelta(days=age) for age in range(-DAYS_AHEAD, oldest + 1))
        return {day.strftime(self.config.elasticsearch_index) for day in days}

    def _last_days(self) -> dict[str, date]:
        """Return the last day whose crashes an index takes, by the name of the index."""
        pattern: str = self.config.elasticsearch_index
        days = (FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1))
        return {day.strftime(pattern): day for day in days}

    def _look_up(self, *names: str) -> Mapping[str, Any]:
        """Return the indexes that these names of indexes or aliases stand for, each with its aliases and mappings."""
        with self._connection.translate_errors(f"look at index {names[0]}"):
            answer = self._connection.client.indices.get(
                index=list(names), features=["aliases", "mappings"], ignore_unavailable=True
            )
        return dict(answer.body)

    def _create(self, index: str, version: int) -> None:
        """Make an index from the template, of this ``version``; the template may be deleted at this very moment."""
        settings: dict[str, Any] = {}
        if version <= VERSION:
            settings = {"mappings": mappings_of(self._properties), "settings": {"index": SETTINGS_OF_THE_MAPPING}}
        with self._connection.translate_errors(f"make index {index}"):
            try:
                self._connection.client.indices.create(index=index, **settings)
            except BadRequestError as error:
                if error.message != "resource_already_exists_exception":  # another processor has just made it
                    raise

    def _refuse_foreign(self, existing: Mapping[str, Any]) -> None:
        foreign = sorted(index for index, each in existing.items() if not _has_our_mapping(each["mappings"]))
        if foreign:
            raise ForeignIndex(
                f"index {', '.join(foreign)} was made without the template {self.template}, and would make a field for "
                "each annotation: delete it, and any index template of a higher priority that matches its name; the "
                "next crash makes it again, and what was in it is queued by `socorro cron verify-processed --reprocess`"
            )

    def _put_alias(self, alias: str, index: str) -> None:
        """Give an alias to an index that was made before there were aliases, or was put in place of another."""
        with self._connection.translate_errors(
            f"put alias {alias} on index {index} (`socorro setup` can if its user has the privilege `manage`)"
        ):
            self._connection.client.indices.put_alias(index=index, name=alias, is_write_index=True)

    def _add_fields(self, index: str, mappings: Mapping[str, Any]) -> None:
        """Map the fields that an existing index lacks; in crashes that it has already, they are not searched.

        Crashes are saved even if they cannot be mapped.
        """
        missing = missing_properties(self._properties, mappings.get("properties", {}))
        if not missing:
            return
        with self._connection.translate_errors(f"add fields to index {index}"):
            try:
                self._connection.client.indices.put_mapping(index=index, properties=missing)
            except AuthorizationException:
                logger.warning(
                    "index %s lacks fields, which are not searched: run `socorro setup` as a user with the privilege "
                    "`manage` on it, or wait for the next index",
                    index,
                )
            except BadRequestError as error:
                # Another processor has just given one of them another type, or the index has as many as it may have.
                logger.warning("index %s lacks fields, which are not searched: %s", index, plain(str(error)))

    def _template(self) -> tuple[int, Properties]:
        """Return version and mapping of the template; ``_NO_TEMPLATE`` if there is none."""
        with self._connection.translate_errors(f"look for the index template {self.template}"):
            try:
                answer = self._connection.client.indices.get_index_template(name=self.template).body
            except NotFoundError:
                return _NO_TEMPLATE
        found = answer["index_templates"][0]["index_template"]
        mappings = found.get("template", {}).get("mappings", {})
        return int(found.get("version", 0)), mappings.get("properties", {})


def _has_our_mapping(mappings: Mapping[str, Any]) -> bool:
    return META in mappings.get("_meta", {}) and str(mappings.get("dynamic")).lower() == "false"


def _write_index(name: str, existing: Mapping[str, Any]) -> str | None:
    """Return the index that a write to an index or alias goes to; None if it would be refused."""
    flags = {
        index: each["aliases"].get(name, {}).get("is_write_index")
        for index, each in existing.items()
        if name == index or name in each["aliases"]
    }
    if len(flags) == 1:
        return next((index for index, flag in flags.items() if flag is not False), None)
    return next((index for index, flag in flags.items() if flag), None)
