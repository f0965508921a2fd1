"""Keep the figures in ``benchmarks/results/latest.json``, with the machine, and draw a picture of them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socorro_processor.stackwalk.stackwalker import OWN, find_stackwalker

RESULTS = Path(__file__).parent / "results"
_LEFT, _WIDTH, _HEIGHT, _ROW = 270, 840, 26, 34


def record(name: str, figures: Any) -> None:
    """Replace the figures that an earlier run recorded under this name."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "latest.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    results |= {"machine": _machine(), name: {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", **figures}}
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    if "daemon" in results:
        (RESULTS / "speed.svg").write_text(_picture(results))


def _machine() -> dict[str, Any]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    version = subprocess.run([find_stackwalker(), "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 30} GB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "stackwalker": version.strip(),
    }


def _picture(results: dict[str, Any]) -> str:
    """Return bars of crashes a second with two threads, for both stackwalkers, as SVG."""
    bars = []
    for key, title in (("small", "real symbols"), ("big", "a 280 MB symbol file")):
        for row in results["daemon"][key]:
            if row["threads"] == 2:
                bars.append((f"{title}, {row['program']}", row["rate"], row["ratio"], row["program"] == OWN))
    most = max(rate for _, rate, _, _ in bars)
    lines = []
    for number, (label, rate, ratio, is_own) in enumerate(bars):
        top = 50 + number * _ROW
        width = max(rate / most * (_WIDTH - _LEFT - 150), 2)
        colour = "#2a78b8" if is_own else "#9aa5ad"
        label = f"{rate:.1f}/s" + (f", {ratio:.1f} times" if is_own else "")
        lines.append(f'<text x="{_LEFT - 8}" y="{top + 18}" text-anchor="end">{label}</text>')
        lines.append(f'<rect x="{_LEFT}" y="{top}" width="{width:.0f}" height="{_HEIGHT}" fill="{colour}"/>')
        lines.append(f'<text x="{_LEFT + width + 8:.0f}" y="{top + 18}">{label}</text>')
    machine = results["machine"]
    under = f"{machine['cpu']}, {machine['cores']} cores; {machine['stackwalker']}; {results['daemon']['date']}"
    height = 50 + len(bars) * _ROW + 34
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif"'
            ' font-size="13">',
            f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
            '<text x="12" y="26" font-size="16">Crashes a second, two threads, whole daemon</text>',
            *lines,
            f'<text x="12" y="{height - 12}" font-size="11" fill="#555">{under}</text>',
            "</svg>",
            "",
        ]
    )
