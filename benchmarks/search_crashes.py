"""Processed crashes with every searchable field filled, as many as wanted, always the same ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from socorro_processor.fields import FIELDS

DAYS = 90
LAST_DAY = datetime(2026, 11, 30, tzinfo=UTC)
SIGNATURES = 3000
_FUNCTIONS = 5000
_INSTALLATIONS = 0.3
"""Installations a crash."""
_PARETO = 0.7
"""The form of the distribution of signatures: a few have most crashes."""
_WORDS = (
    *("crash", "the", "when", "opened", "window", "photo", "album", "and", "render", "thumbnail", "file", "loading"),
    *("after", "update", "page", "scroll", "while", "editing", "it", "always", "happens", "button", "closed"),
)
_SYSTEMS = (("Windows NT", 60), ("Linux", 20), ("Mac OS X", 12), ("Android", 8))
_PRODUCTS = (("Lightbox", 70), ("Darkroom", 25), ("Frame", 5))
_CHANNELS = (("release", 75), ("beta", 20), ("nightly", 5))


class CrashGenerator:
    """Makes crashes of the days before LAST_DAY, from the oldest to the newest."""

    def __init__(self, crashes: int, signatures: int = SIGNATURES) -> None:
        self._random = random.Random(20261130)
        self._crashes = crashes
        self._functions = [f"lightbox::{self._word()}::{self._word()}{number}" for number in range(_FUNCTIONS)]
        self._signatures = [
            " | ".join(self._random.choices(self._functions, k=self._random.randint(1, 3))) for _ in range(signatures)
        ]
        # Three stacks a signature.
        self._stacks = [[self._stack(each) for _ in range(3)] for each in self._signatures]
        self._addons = [[f"{self._word()}@example.com:{number}.0" for number in range(6)] for _ in range(500)]
        self._keys = sorted({annotation for field in FIELDS for annotation in field.annotations})[:60]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        first = LAST_DAY - timedelta(days=DAYS)
        for number in range(self._crashes):
            yield self._crash(number, first + timedelta(days=DAYS) * (number / self._crashes))

    def _crash(self, number: int, moment: datetime) -> dict[str, Any]:
        chance = self._random
        which = min(int(chance.paretovariate(_PARETO)) - 1, len(self._signatures) - 1)
        crash_id = f"{chance.getrandbits(128):032x}"
        crash_id = (
            f"{crash_id[:8]}-{crash_id[8:12]}-{crash_id[12:16]}-{crash_id[16:20]}-{crash_id[20:26]}{moment:%y%m%d}"
        )
        installation = chance.randrange(max(1, int(self._crashes * _INSTALLATIONS)))
        version = f"{chance.randint(1, 4)}.{chance.randint(0, 5)}"
        stack, modules = chance.choice(self._stacks[which])
        reason = f"{self._phrase(6)} {which % 40}"
        made: dict[str, Any] = {
            field.name: self._value(field.type, field.name) for field in FIELDS if not field.is_part
        }
        return made | {
            "uuid": crash_id,
            "crash_id": crash_id,
            "client_id": f"{installation:032x}",
            "signature": self._signatures[which],
            "proto_signature": stack,
            "modules_in_stack": modules,
            "product": _weighted(chance, _PRODUCTS),
            "version": version,
            "release_channel": _weighted(chance, _CHANNELS),
            "os_name": _weighted(chance, _SYSTEMS),
            "submitted_timestamp": moment.isoformat(),
            "date_processed": moment.isoformat(),
            "started_datetime": moment.isoformat(),
            "completed_datetime": (moment + timedelta(milliseconds=chance.randint(80, 4000))).isoformat(),
            "client_crash_date": (moment - timedelta(seconds=chance.randint(1, 90000))).isoformat(),
            "crash_time": int(moment.timestamp()) - 5,
            "install_time": 1_700_000_000 + installation,
            "startup_time": int(moment.timestamp()) - chance.randint(1, 9000),
            "reason": chance.choice(("SIGSEGV / SEGV_MAPERR", "EXCEPTION_ACCESS_VIOLATION_READ", "SIGABRT")),
            "address": "0x0" if chance.random() < 0.3 else f"0x{chance.getrandbits(48):016x}",
            "minidump_sha256_hash": f"{chance.getrandbits(256):064x}",
            "user_comments": self._phrase(12),
            "app_notes": f"{self._phrase(8)} {chance.getrandbits(32):08x}",
            "processor_notes": f"walked in {chance.random():.3f} s; {self._phrase(7)}",
            "email": f"user{installation}@example.com",
            "url": f"https://example.com/{self._word()}/{chance.getrandbits(32):x}",
            "addons": chance.choice(self._addons),
            "crash_report_keys": self._keys,
            "moz_crash_reason": reason,
            "moz_crash_reason_raw": reason,
            "graphics_critical_error": f"|[0][GFX1-]: {self._phrase(6)} {chance.getrandbits(20)}",
            "java_stack_trace": f"java.lang.IllegalStateException at {self._phrase(4)}:{chance.randint(1, 900)}",
            "classifications": {"support": {"classification": chance.choice(_WORDS), "class_data": "none"}},
            "soft_errors": json.dumps([{"SuspendThreadsErrors": [self._word(), chance.randint(1, 90)]}]),
            "processing": {
                "algorithm": 2026,
                "processor_version": "0.1.0",
                "siglists_version": "5d1c0a",
                "missing_symbols": _missing_symbols(modules),
            },
            "mac_crash_info": json.dumps({"num_records": 1, "message": self._phrase(4)}),
        }

    def _value(self, type_: str, name: str) -> Any:
        """Return a value of a field of which nothing else is said: one of some hundreds."""
        chance = self._random
        if type_ in ("integer", "number"):
            small = chance.random() < 0.5
            return chance.randint(0, 200) if small else chance.randint(0, 16_000_000) * 1024
        if type_ == "boolean":
            return chance.random() < 0.5
        if type_ == "array":
            return [f"{name} {chance.randint(1, 5)}"]
        if type_ == "object":
            return {"name": name}
        return f"{name} {chance.choice(_WORDS)} {chance.randint(1, 20)}"

    def _stack(self, signature: str) -> tuple[str, str]:
        frames = [signature, *self._random.choices(self._functions, k=10)]
        modules = (f"lib{self._word()}.so/{self._random.getrandbits(132):033X}" for _ in range(4))
        return " | ".join(frames)[:1000], ";".join(sorted(modules))

    def _phrase(self, words: int) -> str:
        return " ".join(self._random.choices(_WORDS, k=words))

    def _word(self) -> str:
        return self._random.choice(_WORDS)


def _missing_symbols(modules: str) -> list[list[str | None]]:
    """Return rows for half of the modules of a stack."""
    named = [each.rpartition("/") for each in modules.split(";")]
    return [[name, debug_id, name, None] for name, _, debug_id in named[::2]]


def _weighted(chance: random.Random, values: tuple[tuple[str, int], ...]) -> str:
    return chance.choices([value for value, _ in values], [weight for _, weight in values])[0]
