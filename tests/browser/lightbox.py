"""Fourteen days of crashes of Lightbox, a made-up photo indexer: always the same ones, as they might come in.

Each has one of FAULTS, whose stacks are signed by the project's own rules; two are the sample crashes.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from socorro_processor.crash_id import ACCEPTED, dated_crash_id
from socorro_processor.pipeline.rule import Crash
from socorro_processor.signing.signer import Signer
from tests.browser.sample_crashes import SampleCrash, processor_options, sample_crash

LAST_DAY = date(2026, 11, 30)
DAYS = 14
FIRST_DAY = LAST_DAY - timedelta(days=DAYS - 1)
CRASHES = 300
_INSTALLATIONS = 140
_DAILY = (16, 19, 20, 21, 18, 9, 8, 21, 24, 27, 29, 31, 25, 32)
"""Crashes of each day, in their proportion; fewer on a weekend, more with a new version."""


class System(NamedTuple):
    version: str
    pretty: str
    library: str
    """The name of a module, with a place for the library's."""
    null: str
    """The reason of a read through a null pointer."""
    abort: str


SYSTEMS: Mapping[str, System] = {
    "Windows NT": System(
        "10.0.22631", "Windows 11", "{}.dll", "EXCEPTION_ACCESS_VIOLATION_READ", "STATUS_FATAL_APP_EXIT"
    ),
    "Linux": System("6.1.0-18-amd64", "Debian GNU/Linux 12 (bookworm)", "lib{}.so", "SIGSEGV / SEGV_MAPERR", "SIGABRT"),
    "Mac OS X": System("15.1 24B83", "macOS 15", "lib{}.dylib", "EXC_BAD_ACCESS / KERN_INVALID_ADDRESS", "SIGABRT"),
}


class Version(NamedTuple):
    channel: str
    build: str
    first_day: int
    weight: int


VERSIONS: Mapping[str, Version] = {
    "2.3.0": Version("release", "20261012090000", 0, 20),
    "2.3.1": Version("release", "20261109101500", 0, 60),
    "2.4.0b1": Version("beta", "20261116081200", 0, 12),
    "2.4.0b2": Version("beta", "20261125083000", 8, 30),
}


class Fault(NamedTuple):
    weight: int
    systems: Mapping[str, int]
    functions: str
    """The stack, one function a line; empty: that of ``sample``."""
    library: str = "lightbox_photos"
    versions: tuple[str, ...] = tuple(VERSIONS)
    aborts: bool = False
    sample: str = ""
    comment: str = ""


_EVERYWHERE = {"Windows NT": 60, "Linux": 22, "Mac OS X": 18}
_RELEASES = ("2.3.0", "2.3.1")
_BETAS = ("2.4.0b1", "2.4.0b2")
FAULTS = (
    Fault(62, {"Linux": 1}, "", sample="segfault", comment="It crashed while I imported the photos of my old phone."),
    Fault(30, {"Linux": 1}, "", aborts=True, sample="abort"),
    Fault(
        52,
        {"Windows NT": 80, "Mac OS X": 20},
        "lightbox::render::Canvas::draw_tile(lightbox::Rect const&)\nlightbox::render::Canvas::draw(lightbox::Damage)\n"
        "lightbox::ui::Viewer::paint(lightbox::ui::PaintEvent&)",
        "lightbox_render",
        comment="Zooming into a panorama, each time.",
    ),
    Fault(
        210,
        {"Mac OS X": 55, "Windows NT": 45},
        "lightbox::gpu::Swapchain::present(lightbox::gpu::Frame)\nlightbox::render::Compositor::flush()\n"
        "lightbox::ui::Viewer::paint(lightbox::ui::PaintEvent&)",
        "lightbox_gpu",
        ("2.4.0b2",),
        comment="New with the beta: black window, then gone.",
    ),
    Fault(
        26,
        _EVERYWHERE,
        "lightbox::album::Album::sort_by_date(bool)\nlightbox::album::Album::open(lightbox::Path)\n"
        "lightbox::ui::Sidebar::on_select(int)",
    ),
    Fault(
        20,
        _EVERYWHERE,
        "lightbox::raw::Demosaic::run(lightbox::raw::Mosaic const&)\nlightbox::raw::Developer::develop()",
        "lightbox_raw",
    ),
    Fault(
        16,
        {"Windows NT": 90, "Mac OS X": 10},
        "lightbox::sync::Uploader::resume(lightbox::sync::Ticket)\nlightbox::sync::Queue::work()",
        "lightbox_sync",
        _RELEASES,
    ),
    Fault(
        13,
        {"Windows NT": 1},
        "memcpy\nlightbox::jpeg::Decoder::read_scan(unsigned char*)\nlightbox::Thumbnail::decode(lightbox::Path)",
    ),
    Fault(
        10,
        _EVERYWHERE,
        "lightbox::cache::TileCache::evict(unsigned long)\nlightbox::render::Canvas::draw(lightbox::Damage)",
        "lightbox_render",
    ),
    Fault(
        24,
        {"Mac OS X": 1},
        "core::panicking::panic_fmt\nlightbox::import::scan_card\nlightbox::import::watch_volumes",
        "lightbox_import",
        _BETAS,
        aborts=True,
    ),
    Fault(
        6, _EVERYWHERE, "lightbox::ui::PreviewPane::on_resize(int, int)\nlightbox::ui::Window::layout()", "lightbox_ui"
    ),
    Fault(
        4, _EVERYWHERE, "lightbox::undo::History::restore(unsigned int)\nlightbox::ui::Editor::undo()", "lightbox_ui"
    ),
    Fault(2, {"Linux": 1}, "lightbox::print::Spooler::next_page()\nlightbox::ui::PrintDialog::print()", "lightbox_ui"),
)


def lightbox_crashes() -> Iterator[SampleCrash]:
    """Yield the crashes, from the oldest to the newest."""
    chance = random.Random(20261130)
    samples = {name: sample_crash(name) for name in ("segfault", "abort")}
    with processor_options() as options:
        signer = Signer(options)
        for moment in _moments(chance):
            yield _crash(chance, moment, samples, signer)


def _moments(chance: random.Random) -> Iterator[datetime]:
    first = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
    days = chance.choices(range(DAYS), _DAILY, k=CRASHES)
    yield from sorted(first + timedelta(days=day, seconds=chance.randrange(86_400)) for day in days)


def _crash(chance: random.Random, moment: datetime, samples: Mapping[str, SampleCrash], signer: Signer) -> SampleCrash:
    day = (moment.date() - FIRST_DAY).days
    version = _weighted(chance, {name: each.weight for name, each in VERSIONS.items() if each.first_day <= day})
    possible = {number: each.weight for number, each in enumerate(FAULTS) if version in each.versions}
    fault = FAULTS[_weighted(chance, possible)]
    system = _weighted(chance, fault.systems)
    template = samples[fault.sample or "segfault"]
    crash_id = dated_crash_id(uuid.UUID(int=chance.getrandbits(128), version=4), ACCEPTED, moment.date())
    uptime = int(chance.expovariate(1 / 2600)) + 2
    installation = int(_INSTALLATIONS * chance.random() ** 1.6)
    crashed = int(moment.timestamp())
    processed = template.processed | {
        "uuid": crash_id,
        "crash_id": crash_id,
        "version": version,
        "release_channel": VERSIONS[version].channel,
        "build": VERSIONS[version].build,
        "app_notes": "",
        "client_id": f"{installation:032x}",
        "crash_time": crashed - 3,
        "startup_time": crashed - 3 - uptime,
        "uptime": uptime,
        "install_time": 1_794_453_125 + installation,
        "client_crash_date": (moment - timedelta(seconds=3)).isoformat(),
        "submitted_timestamp": moment.isoformat(),
        "date_processed": moment.isoformat(),
        "started_datetime": (moment + timedelta(seconds=1)).isoformat(),
        "completed_datetime": (moment + timedelta(seconds=1, milliseconds=90)).isoformat(),
    }
    if fault.comment and chance.random() < 0.12:
        processed["user_comments"] = fault.comment
    raw = {"ProductName": "Lightbox", "Version": version, "submitted_timestamp": moment.isoformat(), "uuid": crash_id}
    if fault.functions:
        processed |= _stack(chance, fault, system)
        crash = Crash(crash_id, raw, processed=processed | {"signature": ""})
        signer.sign(crash)
        processed = crash.processed
    return SampleCrash(raw, processed, template.dump)


def _stack(chance: random.Random, fault: Fault, name: str) -> dict[str, Any]:
    """Return the fields of a crash that differ from the template's because its stack does."""
    system = SYSTEMS[name]
    reason = system.abort if fault.aborts else system.null
    address = f"0x{0 if chance.random() < 0.7 else chance.getrandbits(36) << 4:016x}"
    module = system.library.format(fault.library)
    frames = [
        {
            "frame": number,
            "function": function,
            "module": module,
            "module_offset": f"0x{0x12340 + 0x230 * number:016x}",
            "offset": f"0x{0x7FF612340000 + 0x230 * number:016x}",
            "trust": "cfi" if number else "context",
            "file": f"/build/lightbox/{fault.library.removeprefix('lightbox_')}.cpp",
            "line": 40 + 17 * number,
            "missing_symbols": False,
        }
        for number, function in enumerate(fault.functions.split("\n"))
    ]
    thread = {"frames": frames, "frame_count": len(frames), "thread_name": "main", "threads_index": 0}
    debug_id = f"{sum(map(ord, module)) * 0x9E3779B97F4A7C15:032X}"[:32] + "1"
    modules = [{"filename": module, "debug_file": module, "debug_id": debug_id, "loaded_symbols": True}]
    return {
        "os_name": name,
        "os_version": system.version,
        "os_pretty_version": system.pretty,
        "reason": reason,
        "address": address,
        "instruction": "",
        "crashing_thread": 0,
        "crashing_thread_name": "main",
        "modules_in_stack": f"{module}/{debug_id}",
        "processing": {"processor_version": "0.1.0", "missing_symbols": [], "durations": {"stackwalk": 0.006}},
        "json_dump": {
            "status": "OK",
            "crash_info": {"crashing_thread": 0, "type": reason, "address": address},
            "crashing_thread": thread,
            "threads": [thread],
            "modules": modules,
            "system_info": {"os": name, "os_ver": system.version, "cpu_arch": "amd64", "cpu_count": 8},
        },
    }


def _weighted(chance: random.Random, weights: Mapping[Any, int]) -> Any:
    return chance.choices([*weights], [*weights.values()])[0]
