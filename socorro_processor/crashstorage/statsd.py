"""Stores that report calls to statsd: one counts calls, the other times those of another store."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from typing import Any

from socorro_processor.configuration import DotDict, Namespace, class_converter
from socorro_processor.crash_id import check_crash_id
from socorro_processor.crashstorage.base import CrashStorageBase, Dump, ProcessedCrash, RawCrash
from socorro_processor.errors import ConfigurationError, CrashIDNotFound
from socorro_processor.monitoring.statsd import StatsdClient, metric_name, statsd_call_options

CALLS = tuple(name for name, call in vars(CrashStorageBase).items() if callable(call) and not name.startswith("_"))
"""The names of all methods of a store."""


class _StatsdStore(CrashStorageBase):
    required_config = Namespace()
    required_config.update(statsd_call_options())

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        self._statsd = StatsdClient(config)


class StatsdCounter(_StatsdStore):
    """Saves nothing, and counts the calls that ``active_list`` names: ``processor.save_raw_and_processed``.

    As the last store of a poly store it counts every crash once, even if the others are tried again.
    """

    required_config = Namespace()

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        for call in config.active_list.intersection(CALLS):
            setattr(self, call, self._count_calls(call, getattr(self, call)))

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        """Do nothing, so that no other call is counted."""

    def held(self, crash_id: str) -> list[str]:
        check_crash_id(crash_id)
        return []

    def remove(self, crash_id: str) -> None:
        raise CrashIDNotFound(f"StatsdCounter has no crash {check_crash_id(crash_id)}")

    def close(self) -> None:
        self._statsd.close()

    def _count_calls(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self._statsd.increment(metric_name(name))
            return call(*arguments, **named)

        return counted


class StatsdBenchmarkingWrapper(_StatsdStore):
    """Another store, ``wrapped_crashstore``, whose calls in ``active_list`` are timed, even if they fail.

    A timer is called ``processor.FileSystemCrashStorage.save_raw_and_processed``, for example. The wrapper has all
    attributes of the other store, whose options are beside its own.
    """

    required_config = Namespace()
    required_config.add_option(
        "wrapped_crashstore",
        default=None,
        doc="the class of the store whose calls are timed",
        from_string_converter=class_converter,
    )

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        if config.wrapped_crashstore is None:
            raise ConfigurationError(
                "wrapped_crashstore is empty: StatsdBenchmarkingWrapper needs the class of a store"
            )
        self._wrap(config.wrapped_crashstore(config))

    def _wrap(self, store: CrashStorageBase) -> None:
        self._wrapped = store
        for name in set(CALLS) - {"close", "limited_to"}:
            call = getattr(store, name)
            if name in self.config.active_list:
                call = self._statsd.timed(metric_name(type(store).__name__, name), call)
            setattr(self, name, call)

    @property
    def stores(self) -> Mapping[str, CrashStorageBase]:
        return self._wrapped.stores

    def limited_to(self, names: Collection[str]) -> CrashStorageBase:
        if (within := self._wrapped.limited_to(names)) is self._wrapped:
            return self
        part = copy.copy(self)
        part._wrap(within)
        return part

    def __getattr__(self, name: str) -> Any:
        """Return an attribute that the wrapped store has beyond the contract."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._wrapped, name)

    def close(self) -> None:
        try:
            self._wrapped.close()
        finally:
            self._statsd.close()
