"""Measure the symbol supplier when there is nothing to get.

    python -m benchmarks.symbol_supplier

40 modules whose symbols are in the cache, and 20 of which it is known that the symbol server has none.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from socorro_processor.configuration import defaults
from socorro_processor.symbols.layout import SymbolFileID
from socorro_processor.symbols.supplier import SymbolSupplier
from tests.symbol_server import SymbolServer, always

CACHED, MISSING = 40, 20
TIMES = 500
BAR = 0.002
"""Seconds for the cached modules."""

_ID = "83CF4DC03621B778E931FC713889E8F10"


def main() -> int:
    cached = [SymbolFileID.of(f"cached{number}.so", _ID) for number in range(CACHED)]
    missing = [SymbolFileID.of(f"missing{number}.so", _ID) for number in range(MISSING)]
    with tempfile.TemporaryDirectory(prefix="symbol-supplier-") as directory, SymbolServer(always(b"", 404)) as server:
        cache = Path(directory, "cache")
        for each in cached:
            (cache / each.path).parent.mkdir(parents=True)
            (cache / each.path).write_bytes(b"MODULE\n")
        supplier = SymbolSupplier(defaults(SymbolSupplier, sources=server.url), str(cache))
        try:
            supplier.supply(missing)
            before = len(server.paths)
            seconds = median_seconds(supplier, cached)
            both = median_seconds(supplier, [*cached, *missing])
            requests = len(server.paths) - before
        finally:
            supplier.close()
    print(f"{CACHED} cached modules: {seconds * 1000:.2f} ms (median of {TIMES}; bar {BAR * 1000:.0f})")
    print(f"with {MISSING} more that are known as missing: {both * 1000:.2f} ms, {requests} requests in all (bar 0)")
    return 0 if seconds <= BAR and requests == 0 else 1


def median_seconds(supplier: SymbolSupplier, wanted: list[SymbolFileID]) -> float:
    measured = []
    for _ in range(TIMES):
        started = time.perf_counter()
        supplier.supply(wanted)
        measured.append(time.perf_counter() - started)
    return statistics.median(measured)


if __name__ == "__main__":
    sys.exit(main())
