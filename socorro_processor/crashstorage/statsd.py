"""Stores that tell statsd about calls: one counts them, the other times those of another store."""

from __future__ import annotations

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

    Behind the other stores of a poly store it counts every crash once, even if the others are retried.
    """

    required_config = Namespace()

    def __init__(self, config: DotDict) -> None:
        super().__init__(config)
        for call in config.active_list.intersection(CALLS):
            setattr(self, call, self._counted(call, getattr(self, call)))

    def save_raw_and_processed(
        self, raw_crash: RawCrash, dumps: Mapping[str, Dump], processed_crash: ProcessedCrash, crash_id: str
    ) -> None:
        """Do nothing, so that no other call is counted."""

    def save_again(
        self,
        raw_crash: RawCrash,
        dumps: Mapping[str, Dump],
        processed_crash: ProcessedCrash,
        crash_id: str,
        unsaved: Collection[str],
    ) -> None:
        """Do nothing, so that no other call is counted."""

    def held(self, crash_id: str) -> list[str]:
        check_crash_id(crash_id)
        return []

    def remove(self, crash_id: str) -> None:
        raise CrashIDNotFound(f"StatsdCounter has no crash {check_crash_id(crash_id)}")

    def close(self) -> None:
        self._statsd.close()

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
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
            raise ConfigurationError("wrapped_crashstore names no store: StatsdBenchmarkingWrapper needs one")
        self._wrapped: CrashStorageBase = config.wrapped_crashstore(config)
        for name in set(CALLS) - {"close"}:
            call = getattr(self._wrapped, name)
            if name in config.active_list:
                call = self._statsd.timed(metric_name(type(self._wrapped).__name__, name), call)
            setattr(self, name, call)

    @property
    def stores(self) -> Mapping[str, CrashStorageBase]:
        return self._wrapped.stores

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
