"""Rules that look at the stack that crashed, and at the modules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from socorro_processor.fields.values import NotOfType, cleaned, mapping
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import crashing_thread, modules, objects_in, section, thread_of
from socorro_processor.rules.sent_annotations import sent
from socorro_processor.signature.c_signature_2026 import with_inlined

_LONGEST_PATH = 4096
"""Characters of a file name that are looked at."""
_WATCHDOG = "RunWatchdog"
_KILLED_AT_SHUTDOWN = "ShutDownKill"
"""The channel error of a process that was killed because it did not shut down."""
_SEPARATORS = re.compile(r"[;/\x00-\x1f\x7f]")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")


class TopmostFileRule(Rule):
    """Name the source file nearest to the crash; an inlined function is nearer than the one that holds it.

    Reads the stack that crashed; writes ``topmost_filenames`` if a frame has a file.
    """

    def action(self, crash: Crash) -> bool:
        for frame in with_inlined(_stack(crash)):
            if isinstance(file := frame.get("file"), str) and (file := cleaned(file[:_LONGEST_PATH])):
                crash.processed["topmost_filenames"] = file
                return True
        return False


class ModulesInStackRule(Rule):
    """List the modules with frames in the stack that crashed: ``libc.so.6/EC61AC93..;lightbox/561F1445..``.

    A module without a debug id is left out. It has to run before modules of Windows are written in small letters.
    Reads the stack that crashed, ``json_dump.modules``; writes ``modules_in_stack`` if there are any.
    """

    def action(self, crash: Crash) -> bool:
        names = {name for frame in _stack(crash) if isinstance(name := frame.get("module"), str)}
        listed = {
            f"{_SEPARATORS.sub('', name)}/{debug_id}"
            for module in modules(crash)
            if isinstance(name := module.get("filename"), str)
            and name in names
            and isinstance(debug_id := module.get("debug_id"), str)
            and _HEXADECIMAL.fullmatch(debug_id)
        }
        if listed:
            crash.processed["modules_in_stack"] = ";".join(sorted(listed))
        return bool(listed)


class ModuleSignersRule(Rule):
    """Say who signed a module, where the stackwalker did not know.

    Reads ``raw.ModuleSignatureInfo``, an object of lists of file names by signer, or its JSON; writes ``cert_subject``
    of modules in ``json_dump``; notes what is not of that form. Case does not matter in names of files.
    """

    annotation = "ModuleSignatureInfo"

    def predicate(self, crash: Crash) -> bool:
        return sent(crash, self.annotation) is not None

    def action(self, crash: Crash) -> bool:
        try:
            info = mapping(sent(crash, self.annotation))
        except NotOfType as error:
            crash.note(f"{self.annotation} is left out: {error}")
            return False
        signers, bad = _signers(info)
        if bad:
            crash.note(f"{self.annotation}: {bad} of {len(info)} signers have no list of file names")
        for module in modules(crash):
            name = module.get("filename")
            if not module.get("cert_subject") and isinstance(name, str) and (signer := signers.get(name.lower())):
                module["cert_subject"] = signer
        return True


class ReportTypeRule(Rule):
    """Say whether the program was stopped because it hung, or crashed on its own.

    Reads ``raw.Hang``, ``raw.AsyncShutdownTimeout``, ``raw.ipc_channel_error``, the stack that crashed; writes
    ``report_type``.
    """

    def action(self, crash: Crash) -> bool:
        hung = (
            str(sent(crash, "Hang") or 0).strip() != "0"
            or sent(crash, "AsyncShutdownTimeout") is not None
            or sent(crash, "ipc_channel_error") == _KILLED_AT_SHUTDOWN
            or any(_WATCHDOG in function for function in _functions(crash))
        )
        crash.processed["report_type"] = "hang" if hung else "crash"
        return True


def _signers(info: Mapping[str, Any]) -> tuple[dict[str, str], int]:
    """Return the signer of each file, by its name in small letters, and the number of signers without a list."""
    signers: dict[str, str] = {}
    bad = 0
    for signer, files in info.items():
        if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
            bad += 1
            continue
        for file in files:
            signers.setdefault(file.lower(), signer)
    return signers, bad


def _stack(crash: Crash) -> list[dict[str, Any]]:
    """Return the frames of the thread that crashed; where the list of threads lacks them, those of its copy.

    The entry in place of cut frames is among them; it has no module, file or function.
    """
    frames = thread_of(crash, crashing_thread(crash)).get("frames") or section(crash, "crashing_thread").get("frames")
    return objects_in(frames)


def _functions(crash: Crash) -> Iterator[str]:
    """Yield the names of the functions in the stack that crashed; of thread 0 if it is not known which one that is."""
    is_known = crashing_thread(crash) is not None
    for frame in with_inlined(_stack(crash) if is_known else objects_in(thread_of(crash, 0).get("frames"))):
        if isinstance(function := frame.get("function"), str):
            yield function
