"""Crashes of strangers who wish to break the page, or whose programs are odd."""

from __future__ import annotations

from typing import Any

PLANTED = "window.planted"
"""A variable that any script of these crashes sets."""
ELEMENT = "planted-element"
"""An element that any markup of these crashes makes."""
MARKUP = (
    f"<script>{PLANTED} = 1</script>"
    f'<img src=x onerror="{PLANTED} = 2"><{ELEMENT}></{ELEMENT}><svg onload="{PLANTED} = 3">'
    f"\"'></title></textarea></style></td></table></main><{ELEMENT} onclick='{PLANTED} = 4'>{{{{ 7 * 7 }}}}"
)
ODD = {
    "markup": MARKUP,
    "link": f"javascript:{PLANTED}=5",
    "escapes": "\x1b[2J\x1b]0;title\x07 \r\n\t \x00 \x9b31m",
    "direction": "invoice_\u202egnp.exe \u2066 \u200f \u200b \u2028 \U000e0041",
    "marks": "o" + "\u0301" * 60,
    "long": "lightbox::" + "Nested<int, " * 330 + "f",
}
"""Texts that a crash may hold anywhere."""
_FRAMES = 500
_HEX = "0x00007f9e6a80923f"


def hostile_crash(crash_id: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the annotations and the processed crash of a program that has ``text`` wherever there may be one."""
    inlines = [{"function": text, "file": f"/build/{text}", "line": number} for number in range(2)]
    frames = [
        {
            "frame": number,
            "function": text,
            "file": f"git:github.com/{text}:{text}:{text}",
            "line": number,
            "inlines": inlines,
            "module": text,
            "module_offset": _HEX,
            "offset": _HEX,
            "trust": ("cfi", "scan", text)[number % 3] if number else "context",
            "registers": {text: _HEX, "rip": _HEX},
        }
        for number in range(4)
    ]
    return _crash(crash_id, text, frames)


def deep_crash(crash_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a stack of 500 frames, each with inlined functions, whose names have 4,000 characters."""
    long = ODD["long"]
    frames = [
        {
            "frame": number,
            "function": f"{long}{number}" if number < 3 else f"lightbox::walk(int)::level{number}",
            "file": "/build/" + "very/deep/" * 40 + "tree.cpp",
            "line": number,
            "inlines": [{"function": f"lightbox::visit<{number}>", "file": "/build/tree.h", "line": 7}] * 3,
            "module": "liblightbox_photos.so",
            "module_offset": _HEX,
            "offset": _HEX,
            "trust": "cfi" if number else "context",
        }
        for number in range(_FRAMES)
    ]
    return _crash(crash_id, long, frames)


def folded_crash(crash_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a stack with runs of frames of the system, and with each reason why a function has no name."""
    run = [("lightbox::Canvas::draw(int)", "lightbox")]
    glib = [(f"g_main_loop_{number}", "libglib-2.0.so.0") for number in range(8)]
    unnamed = [("", "linux-vdso.so.1"), ("", "libz.so.1"), ("<unknown in libc.so.6>", "libc.so.6")]
    frames = [
        {
            "frame": number,
            "function": function,
            "module": module,
            "module_offset": _HEX,
            "offset": _HEX,
            "trust": "cfi" if number else "context",
            "missing_symbols": not function,
            **({"file": "/build/lightbox/canvas.cpp", "line": number} if module == "lightbox" else {}),
        }
        for number, (function, module) in enumerate([*run, *glib, *run, *unnamed, *run])
    ]
    raw, processed = _crash(crash_id, "Lightbox", frames)
    del processed["java_stack_trace"]
    processed["json_dump"]["modules"] = [
        {"filename": name, "debug_file": name, "debug_id": "C0FFEE" * 5 + "000", "missing_symbols": not function}
        for function, name in (*run, *glib[:1], *unnamed)
    ]
    return raw, processed


def _crash(crash_id: str, text: str, frames: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    thread = {"frames": frames, "frame_count": len(frames), "thread_name": text, "threads_index": 0}
    module = dict.fromkeys(("filename", "version", "debug_id", "debug_file", "code_id"), text)
    moment = f"20{crash_id[-6:-4]}-{crash_id[-4:-2]}-{crash_id[-2:]}T03:12:08+00:00"
    public = ("signature", "product", "version", "release_channel", "os_name", "os_version", "reason", "address")
    others = ("build", "process_type", "app_notes", "user_comments", "email", "url", "earlier_signature", "vendor")
    processed = dict.fromkeys((*public, *others), text) | {
        "uuid": crash_id,
        "crash_id": crash_id,
        "success": True,
        "mdsw_status_string": "OK",
        "submitted_timestamp": moment,
        "date_processed": moment,
        "completed_datetime": moment,
        "proto_signature": " | ".join([text] * 3)[:9000],
        "modules_in_stack": f"{text}/{text}",
        "processor_notes": f"{text}; {text}",
        "crash_report_keys": [text],
        "additional_minidumps": [],
        "java_stack_trace": f"java.lang.Error: {text}\n\tat {text}",
        "processing": {"algorithm": 2026, "processor_version": text, "missing_symbols": [[text, text, text, text]]},
        "json_dump": {
            "status": "OK",
            "crash_info": {"crashing_thread": 0, "type": text, "address": text},
            "crashing_thread": thread,
            "threads": [thread, {"frames": [{"frame": 0, "function": text}], "thread_name": text}],
            "modules": [module, {**module, "missing_symbols": True}],
        },
    }
    raw = {"ProductName": text, "Version": text, "Comments": text, text[:200]: text, "uuid": crash_id}
    return raw, processed
