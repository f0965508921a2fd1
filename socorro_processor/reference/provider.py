"""Providers of reference data: facts about products, releases and systems that are not in a crash.

A rule adds the options of ``reference_options`` to its own, and asks for their provider:

    class ProductRewrite(Rule):
        required_config = Namespace()
        required_config.update(reference_options())

        def __init__(self, config: DotDict | None = None) -> None:
            super().__init__(config)
            self.reference = provider_for(self.config)
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, Seconds, class_converter, sections
from socorro_processor.errors import ConfigurationError, ProcessingEnvironmentError
from socorro_processor.reference.changes import Approve, TableChanges
from socorro_processor.reference.tables import ReferenceData, Tables

logger = logging.getLogger(__name__)


class ReferenceDataProvider(RequiredConfig):
    """Looks up reference data for rules. A subclass reads the data in ``load``.

    The data are read once, and again on ``reload`` and by ``refresh_providers``; every method may be called from any
    thread. If they cannot be reached at the start, each question raises ProcessingEnvironmentError until they can
    be: no crash is processed without them.
    """

    required_config = Namespace()
    required_config.add_option(
        "reference_refresh",
        default=300.0,
        doc="seconds after which a processor reads the reference data again; 0: only when it starts and at SIGHUP",
        from_string_converter=Seconds(),
        reference_value_from="resource.reference",
    )

    def __init__(self, config: DotDict) -> None:
        """Read the data. Raises ConfigurationError if they cannot be used."""
        self.config = config
        self._reloading = threading.Lock()
        self._current: ReferenceData | None = None
        self._next_refresh: float | None = None
        self._refreshing: threading.Thread | None = None
        # `check` will report it.
        with suppress(ProcessingEnvironmentError):
            self._current = self.load()

    @classmethod
    def setup(cls, config: DotDict) -> None:
        """Make the tables that the provider needs, with their first content. Safe to run again."""

    @classmethod
    def replace(cls, config: DotDict, tables: Tables, approve: Approve, *, dry_run: bool = False) -> list[TableChanges]:
        """Replace the present tables with these, all or none; only rows that differ are written. Return the changes.

        Raises a SocorroError, including one that ``approve`` raises.
        """
        raise ConfigurationError(f"{cls.__name__} has no reference data that can be replaced")

    def load(self) -> ReferenceData:
        """Read all of the data.

        Raises ConfigurationError if they cannot be used, and ProcessingEnvironmentError if they cannot be reached now;
        each says why.
        """
        raise NotImplementedError(f"{type(self).__name__} reads no reference data")

    def product_name(self, product_id: str) -> str | None:
        """Return the product name for crashes of a product id; None if they keep their own."""
        return self._data.rewritten_products.get(product_id)

    def released_version(self, product: str, version: str, channel: str, build_id: int) -> str | None:
        """Return the version, such as 48.0b10, of a build that calls itself 48.0; None if the build is not known."""
        return self._data.release_builds.get((product, version, channel.lower(), build_id))

    def windows_name(self, major: int, minor: int) -> str | None:
        return self._data.windows_versions.get((major, minor))

    def reload(self) -> None:
        """Read the data again. Raises as ``load`` does; the old data then stay in use.

        Every rule that shares the provider calls this, so only a change is logged.
        """
        with self._reloading:
            data = self.load()
            if data != self._current:
                self._current = data
                logger.info("%s has changed and is in use", self)

    def refresh(self, now: float) -> None:
        """Read the data again, in a thread, if ``reference_refresh`` seconds have passed since the last time."""
        interval: float = self.config.reference_refresh
        if self._next_refresh is None:
            self._next_refresh = now + interval
        if not interval or now < self._next_refresh or (self._refreshing and self._refreshing.is_alive()):
            return
        self._next_refresh = now + interval
        refreshing = threading.Thread(target=self._refresh, name="reference", daemon=True)
        try:
            refreshing.start()
        except RuntimeError as error:
            logger.warning("cannot reload %s now, the old data stay in use: %s", self, error)
        else:
            self._refreshing = refreshing

    def check(self) -> None:
        """Raise ProcessingEnvironmentError if there are no data, and they cannot be read now."""
        _ = self._data

    def __str__(self) -> str:
        return "reference data"

    def _refresh(self) -> None:
        try:
            self.reload()
        except (ConfigurationError, ProcessingEnvironmentError) as error:
            logger.warning("cannot reload %s, the old data stay in use: %s", self, error)

    @property
    def _data(self) -> ReferenceData:
        if self._current is None:
            try:
                self.reload()
            except ConfigurationError as error:
                raise ProcessingEnvironmentError(str(error)) from error
        assert self._current is not None
        return self._current


def _provider_class(name: str) -> type[ReferenceDataProvider]:
    """Return the class of this name. Raises ValueError if it is not a ReferenceDataProvider."""
    provider_class = class_converter(name)
    if provider_class is None or not issubclass(provider_class, ReferenceDataProvider):
        raise ValueError("the class of a ReferenceDataProvider")
    return provider_class


def reference_options() -> Namespace:
    """Return the options of a rule that needs reference data: the class of the provider, and the options of that class.

    All rules share their values, in ``resource.reference``.
    """
    options = Namespace()
    options.add_option(
        "reference_class",
        default="socorro_processor.reference.file.FileReferenceData",
        doc="the class that looks up products, releases and Windows versions",
        from_string_converter=_provider_class,
        reference_value_from="resource.reference",
    )
    return options


_providers: WeakValueDictionary[tuple[Any, ...], ReferenceDataProvider] = WeakValueDictionary()
"""The providers in use; a provider is dropped together with the last rule that uses it."""
_building = threading.Lock()


def provider_for(config: DotDict) -> ReferenceDataProvider:
    """Return the provider of ``config``: the same one for all rules whose options for it are equal."""
    key = _key(config)
    with _building:
        provider = _providers.get(key)
        if provider is None:
            _providers[key] = provider = config.reference_class(config)
        return provider


def refresh_providers(clock: Callable[[], float] = time.monotonic) -> None:
    """Refresh each provider in use whose data are due. Must be called regularly."""
    for provider in list(_providers.values()):
        provider.refresh(clock())


def set_up_providers(config: DotDict) -> None:
    """Set up each provider that is configured in ``config`` or a section of it. Raises a SocorroError."""
    for section in sections_with_providers(config):
        section.reference_class.setup(section)


def sections_with_providers(config: DotDict) -> list[DotDict]:
    """Return a section for each provider that is configured in ``config`` or a section of it."""
    return list({_key(section): section for section in sections(config) if "reference_class" in section}.values())


def _key(config: DotDict) -> tuple[Any, ...]:
    """Return the identity of a provider: its class, and the values of its options."""
    provider_class: type[ReferenceDataProvider] = config.reference_class
    options = provider_class.get_required_config().keys_breadth_first()
    return (provider_class, *((option, str(config[option])) for option in sorted(options)))
