"""The sources of a crash's page: stores, rules, options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from socorro_processor.configuration import DotDict
from socorro_processor.crashstorage.base import CrashStorageBase, ProcessedCrash, RawCrash
from socorro_processor.fields import FieldTable, Protection, follows_table
from socorro_processor.report.find_processed import find_processed
from socorro_processor.report.source_links import SourceLinks
from socorro_processor.report.symbol_places import SymbolPlaces
from socorro_processor.rules.signature import StackSignatureRule
from socorro_processor.search.base import CrashIndex
from socorro_processor.search.filters import LONGEST_VALUE, Filter
from socorro_processor.search.results import Neighbours
from socorro_processor.serialization import Note, ignore
from socorro_processor.signing.signer import Signer, signature_rules
from socorro_processor.web.pages.address import signature_address
from socorro_processor.web.pages.viewer import Viewer


@dataclass(frozen=True)
class ReportSources:
    """Stores, and what else a page is made from. Threads may share it."""

    source: CrashStorageBase
    destination: CrashStorageBase
    fields: FieldTable
    signer: Signer | None
    """None if no rule of the configuration makes signatures."""
    links: SourceLinks
    places: SymbolPlaces = field(default_factory=SymbolPlaces)
    neighbours: Callable[[str, str], Neighbours] | None = None
    """Finds neighbours by crash id and signature. Raises CrashStorageError. None without a search."""
    signature_path: Callable[[str], str] | None = None
    """Returns the address of the page of a signature; None if crashes cannot be searched."""

    def places_for(self, viewer: Viewer, origin: str) -> SymbolPlaces:
        """Return where symbols are, for a reader of this server, whose addresses begin with ``origin``."""
        return replace(self.places, server=origin, reprocesses=viewer.acts)

    @property
    def has_search(self) -> bool:
        return self.signature_path is not None

    @classmethod
    def of(
        cls,
        values: DotDict,
        source: CrashStorageBase,
        destination: CrashStorageBase,
        index: CrashIndex | None = None,
    ) -> ReportSources:
        """Return the sources of a whole configuration, whose stores and index these are. Raises ConfigurationError."""
        return cls(
            source,
            destination,
            FieldTable.of(values.web),
            Signer(values.processor) if _makes_signatures(values.processor) else None,
            values.web.source_links,
            SymbolPlaces.of(values.processor),
            None if index is None else partial(_neighbours, index),
            None if index is None else signature_address,
        )

    def processed(self, crash_id: str, note: Note = ignore, *, redacted: bool) -> ProcessedCrash:
        """Return a processed crash. Raises CrashStorageError; ``note`` receives the failures of one of the stores."""
        processed = find_processed(crash_id, self._stores(), note, redacted=redacted, on_terminal=False)
        if redacted and not follows_table(processed):
            # What a store of 2015 forbids is less than what the table protects.
            return Protection(self.fields).redact(processed)
        return processed

    def raw(self, crash_id: str, *, redacted: bool) -> RawCrash:
        """Return the annotations of a crash. Raises CrashStorageError."""
        raw = self.source.get_raw_crash(crash_id)
        return Protection(self.fields).redact_raw(raw) if redacted else raw

    def _stores(self) -> Iterator[Callable[[], AbstractContextManager[CrashStorageBase]]]:
        """Yield functions that "open" the stores, which stay open."""
        for store in (self.destination, self.source):
            yield partial(_stays_open, store)


def _neighbours(index: CrashIndex, crash_id: str, signature: str) -> Neighbours:
    if len(signature) > LONGEST_VALUE:
        return Neighbours()
    return index.neighbours(crash_id, (Filter("signature", "is", (signature,)),))


@contextmanager
def _stays_open(store: CrashStorageBase) -> Iterator[CrashStorageBase]:
    yield store


def _makes_signatures(processor: DotDict) -> bool:
    return any(issubclass(rule, StackSignatureRule) for rule, _ in signature_rules(processor))
