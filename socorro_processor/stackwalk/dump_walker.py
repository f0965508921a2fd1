"""Walks dumps with the symbols that their stacks need.

Our stackwalker asks for symbols while it walks, and reports which files need an index. Another stackwalker walks a
second time if symbols that its first walk missed could be fetched.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from socorro_processor.machine.bounded_program import Outcome, Questions
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.stackwalk.answers import SymbolAnswers
from socorro_processor.stackwalk.comparison import OWN_KEY, comparable, first_difference
from socorro_processor.stackwalk.different_walks import DifferentWalk, DifferentWalks
from socorro_processor.stackwalk.result import StackwalkResult, stackwalk_result
from socorro_processor.stackwalk.stackwalker import Stackwalker
from socorro_processor.symbol_cache.index_builder import IndexBuilder
from socorro_processor.symbol_cache.index_directory import IndexRequest, ask_the_manager, index_directory
from socorro_processor.symbols.layout import SymbolFile, SymbolFileID
from socorro_processor.symbols.supplier import SymbolSupplier
from socorro_processor.symbols.supply_result import SupplyResult

logger = logging.getLogger(__name__)

REFERENCE = "--reference"
"""The switch that makes our stackwalker walk as minidump-stackwalk does."""
_NEED_AN_INDEX = ("whole", "whole_for_damaged_index")
"""Uses of a symbol file whose index is missing or damaged."""
_LATER = "later"
SYMBOL_USES = (
    "index",
    "whole",
    "whole_by_index",
    "whole_for_damaged_index",
    "corrupt",
    "unreadable",
    "refused",
    _LATER,
)
"""Uses of a symbol file that are counted."""


class Dump(NamedTuple):
    """A minidump to walk."""

    crash_id: str
    name: str
    values: Mapping[str, Sequence[str]]
    """Values for the command line (``FIELDS``), the path of the dump among them."""
    output_limit: int | None = None
    """Bytes that may be printed; None for the stackwalker's own limit."""


class DumpWalk(NamedTuple):
    """The last walk of a dump."""

    outcome: Outcome
    result: StackwalkResult
    supplied: SupplyResult = SupplyResult({})
    """The symbol files that the walk missed, and what became of them."""


class DumpWalker:
    """Walks a dump with a stackwalker, a supplier of symbols and a builder of indexes. Threads may share it."""

    def __init__(
        self,
        stackwalker: Stackwalker,
        stores: Sequence[str],
        supplier: SymbolSupplier | None,
        *,
        index_path: str = "",
        makes_indexes: bool = True,
        share_to_verify: float = 0.0,
        different: DifferentWalks | None = None,
    ) -> None:
        """``stores`` are searched in this order. ``index_path`` is as in ``index_directory``. ``different`` keeps
        walks that differ from the reference."""
        self._stackwalker = stackwalker
        self._stores = [Path(store).absolute() for store in stores]
        self._supplier = supplier
        self._answers = SymbolAnswers(supplier, index_path) if supplier else None
        self._index_path = index_path
        self._makes_indexes = makes_indexes
        self._builder = IndexBuilder(index_path)
        self._share_to_verify = share_to_verify
        self._different = different
        for how in SYMBOL_USES:
            METRICS.expect("symbols.used", how=how)

    def walk(self, dump: Dump) -> DumpWalk:
        """Walk a dump.

        Raises ProcessingEnvironmentError if the stackwalker cannot be run here, or somebody killed it.
        """
        self.remove_old()
        program = self._stackwalker.own_program()
        if not program or (self._answers is not None and not self._stackwalker.uses("questions")):
            return self._walk_with_another(dump)
        walk = self._walk_with_ours(dump, program)
        if walk.result.json_dump and random.random() < self._share_to_verify:  # no secret  # nosec B311
            self._verify(dump, walk.result, self._run(dump, switches=[REFERENCE]).result)
        return walk

    def remove_old(self) -> None:
        """Remove kept walks that are too old; it looks once an hour."""
        if self._different is not None:
            self._different.remove_old()

    def close(self) -> None:
        if self._answers is not None:
            self._answers.close()
        self._builder.close()

    def _walk_with_another(self, dump: Dump) -> DumpWalk:
        walk = self._run(dump)
        if self._supplier is None:
            return walk
        supplied = self._supplier.supply(list(_missed(walk.result.json_dump)))
        return (self._run(dump) if supplied.fetched else walk)._replace(supplied=supplied)

    def _walk_with_ours(self, dump: Dump, program: str) -> DumpWalk:
        if self._answers is None:
            walk = self._run(dump)
        else:
            with self._answers.session() as session:
                walk = self._run(dump, session)
            walk = walk._replace(supplied=session.supplied)
        used = how_symbols_were_used(walk.result.json_dump)
        for how in used.values():
            if how in SYMBOL_USES:
                METRICS.increment("symbols.used", how=how)
        if self._makes_indexes:
            for path in (path for path, how in used.items() if how in _NEED_AN_INDEX):
                self._want_index(path, program)
        return walk

    def _run(self, dump: Dump, questions: Questions | None = None, switches: Sequence[str] = ()) -> DumpWalk:
        values = {**dump.values, "switches": switches}
        with METRICS.timer("stackwalk"):
            outcome = self._stackwalker.walk(values, dump.crash_id, dump.output_limit, questions)
        METRICS.duration("stackwalk.cpu", outcome.cpu_seconds)
        return DumpWalk(outcome, stackwalk_result(dump.name, outcome))

    def _want_index(self, path: str, program: str) -> None:
        """Have an index made by the manager of the symbol cache, which counts its size, or by the builder."""
        for root in self._stores:
            file = SymbolFile(root, path)
            if file.state() is None:
                continue
            indexes = index_directory(root, self._index_path)
            if not ask_the_manager(root, indexes, IndexRequest(path, program)):
                self._builder.want(file, program)
            return

    def _verify(self, dump: Dump, own: StackwalkResult, reference: StackwalkResult) -> None:
        """Count a walk that was made both ways; count and keep it if the two differ."""
        # The two cannot be compared if the reference was killed, if our walk reached its bounds, which the reference
        # does not have, or if symbol files have come or gone in between.
        if not reference.json_dump or _own_part(own.json_dump).get("bounded"):
            return
        if _LATER in how_symbols_were_used(own.json_dump).values() or _loaded(own.json_dump) != _loaded(
            reference.json_dump
        ):
            return
        METRICS.increment("stackwalk.verified")
        compared, expected = comparable(own.json_dump), comparable(reference.json_dump)
        if difference := first_difference(expected, compared):
            METRICS.increment("stackwalk.differences")
            own_part = {OWN_KEY: _own_part(own.json_dump)}
            version = self._stackwalker.version()[1].strip()
            walk = DifferentWalk(dump.crash_id, dump.name, version, difference, compared | own_part, expected)
            path = self._different.keep(walk) if self._different else None
            kept = f"; kept in {path}" if path else ""
            logger.error("%s: the stackwalk differs from the reference: %.500s%s", dump.crash_id, difference, kept)


def _missed(json_dump: Mapping[str, Any]) -> Iterator[SymbolFileID]:
    """Yield the symbol files that a walk looked for and did not find."""
    modules = json_dump.get("modules")
    for module in modules if isinstance(modules, list) else ():
        if isinstance(module, dict) and module.get("missing_symbols") is True:
            # A hostile name is not a path.
            with suppress(ValueError, KeyError, TypeError):
                yield SymbolFileID.of(module["debug_file"], module["debug_id"])


def how_symbols_were_used(json_dump: Mapping[str, Any]) -> dict[str, str]:
    """Return how each symbol file was used, by its path in a store."""
    symbols = _own_part(json_dump).get("symbols")
    files = symbols.items() if isinstance(symbols, dict) else ()
    return {path: str(file.get("used")) for path, file in files if isinstance(file, dict)}


def _own_part(json_dump: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part that only our stackwalker writes; empty for another one."""
    own = json_dump.get(OWN_KEY)
    return own if isinstance(own, dict) else {}


def _loaded(json_dump: Mapping[str, Any]) -> list[object]:
    modules = json_dump.get("modules")
    return [module.get("loaded_symbols") for module in modules] if isinstance(modules, list) else []
