"""``socorro symbols manage`` runs the manager of the symbol cache; ``socorro symbols status`` shows the cache."""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from socorro_processor.app import companion
from socorro_processor.cli.command import Command
from socorro_processor.configuration import Configuration
from socorro_processor.errors import ConfigurationError
from socorro_processor.layout import table
from socorro_processor.symbol_cache.records import Status, is_managed, records_of

_BAR_WIDTH = 40
_SIZES = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "k"), (1, ""))
"""The units of the option ``symbol_cache_size``."""
_AGES = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


def _manage(arguments: argparse.Namespace, configuration: Configuration) -> int:
    """Replace this process by the manager of the symbol cache."""
    command = companion.command(configuration.values)
    if command is None:
        raise ConfigurationError("there is no symbol cache: set companion_process.symbol_cache_path")
    # The new process is lean; this one has loaded every store that is configured.
    os.execv(command[0], command)


def _add_status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def _status(arguments: argparse.Namespace, configuration: Configuration) -> int:
    config = configuration.values.companion_process
    if not config.get("symbol_cache_path"):
        raise ConfigurationError("there is no symbol cache: set companion_process.symbol_cache_path")
    cache = Path(config.symbol_cache_path).absolute()
    try:
        managed = is_managed(cache)
        status = records_of(cache, config.state_path).status()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"symbol cache {cache}: {error}") from error
    if arguments.json:
        print(json.dumps({"path": str(cache), "managed": managed} | (asdict(status) if status else {})))
    else:
        _print(cache, managed, status)
    return 0 if managed else 1


def _print(cache: Path, managed: bool, status: Status | None) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"symbol cache {cache}", style="bold", markup=False)
    if not managed:
        console.print("no manager runs: start the processor, or `socorro symbols manage`", style="red")
    if status is None:
        return
    share = status.bytes / status.limit
    full = round(min(share, 1.0) * _BAR_WIDTH)
    bar = f"[{'#' * full}{'-' * (_BAR_WIDTH - full)}]"
    console.print(f"{bar} {share:.0%}, {_size(status.bytes)} of {_size(status.limit)}", markup=False)
    rows = (
        ("files", f"{status.files:,}"),
        ("opened since the start", f"{status.hits:,}"),
        ("removed for room", f"{status.evictions:,} ({_size(status.evicted_bytes)})"),
        ("unused for longest", _age(time.time() - status.oldest) if status.oldest is not None else "-"),
        ("manager", f"pid {status.pid}, for {_age(time.time() - status.started)}" if managed else "none"),
        ("events lost", f"{status.overflows:,} times"),
        ("inotify", "watches every directory" if status.watching else "too few watches, see the log"),
    )
    for line in table([[(label, "dim"), (value, "")] for label, value in rows], (1.0, 0), None, numbers=(1,)):
        console.print(line)


def _size(size: int) -> str:
    unit, name = next((each for each in _SIZES if size >= each[0]), _SIZES[-1])
    return f"{size / unit:.1f}{name}" if name else str(size)


def _age(seconds: float) -> str:
    unit, name = next((each for each in _AGES if seconds >= 2 * each[0]), _AGES[-1])
    return f"{max(seconds, 0) / unit:.0f} {name}"


STATUS = Command(
    name="symbols status",
    summary="Show how full the symbol cache is, and whether a manager runs.",
    exit_codes={0: "a manager runs", 1: "no manager runs"},
    example="socorro symbols status --json",
    run=_status,
    add_arguments=_add_status_arguments,
    sections=("companion_process",),
)

MANAGE = Command(
    name="symbols manage",
    summary="Keep the symbol cache to its size until told to stop, as the processor's companion process does.",
    description="A cache has one manager: a second one ends.",
    exit_codes={0: "stopped by a signal"},
    example="socorro symbols manage --companion_process.symbol_cache_size=4G",
    run=_manage,
    sections=("companion_process", "health", "logging", "metrics"),
)
