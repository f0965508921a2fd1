"""Signatures of native stacks of today: inlined functions are frames, and names have the normal form of today."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any

from socorro_processor.configuration import Namespace, WholeNumber
from socorro_processor.signature.c_signature import DELIMITER, NO_FRAMES, CSignatureTool, Part, truncate
from socorro_processor.signature.normal_form import Step, explain_frame, normalize_frame
from socorro_processor.signature.siglists import SigLists, default_directory_of_2026

_TABLE_OF_JUMPS = re.compile(r"<\.plt[.\w]* ELF section in ")
"""The beginning of the name that symbol files give to it, and, where they have no data, to all that lies behind it."""
_OFFSET = re.compile(r"@0x[0-9a-f]+(?=\)?$)")


class CSignatureTool2026(CSignatureTool):
    """Names the frames of a thread, and chooses those that make the signature.

    No two chosen frames that follow each other are equal, single quotes stay single, and argument lists are always
    left out. The whole signature is cut by ``SigTrunc2026``, once it is complete.
    """

    required_config = Namespace()
    required_config.add_option(
        "signature_max_len",
        default=4096,
        doc="maximum length of the frames in a signature; longer ones are cut, and end in ...",
        from_string_converter=WholeNumber(4),
    )
    required_config.add_option(
        "collapse_arguments", default=True, doc="without effect: argument lists are always left out"
    )

    own_lists = staticmethod(default_directory_of_2026)

    hang_prefixes: Mapping[int, str] = {}

    drops_equal_frames = True

    has_steps = True

    def name_frames(self, frames: Sequence[dict[str, Any]], lists: SigLists, *, lower_case_modules: bool) -> list[str]:
        names = []
        for frame in islice(frames, max(0, self.config.maximum_frames_to_consider)):
            named = _with_lower_case_modules(frame) if lower_case_modules else frame
            frame["normalized"] = self.name_frame(named, lists)
            names.append(frame["normalized"])
        return names

    def name_frame(self, frame: Mapping[str, Any], lists: SigLists) -> str:
        name = normalize_frame(frame)
        if frame.get("function") and lists.line_numbers.matches(name):
            line = frame.get("line")
            return f"{name}:{line if isinstance(line, int | str) else None}"
        return name

    def explain_frames(self, frames: Sequence[Mapping[str, Any]], *, lower_case_modules: bool) -> list[list[Step]]:
        return [explain_frame(_with_lower_case_modules(each) if lower_case_modules else each) for each in frames]

    @staticmethod
    def without_offset(name: str) -> str:
        return _OFFSET.sub("", name)

    def generate(
        self, names: Sequence[str], lists: SigLists, hang_type: int, crashing_thread: int | None
    ) -> tuple[str, list[str]]:
        notes = []
        if crashing_thread is None:
            notes.append("it is not known which thread crashed: the signature is that of thread 0")
        choices = list(self.choose_to_end(names, lists))
        signature = DELIMITER.join(choice.text for choice in choices if choice.text)
        if not signature:
            notes.append("no proper signature: no frame of the thread that crashed says anything")
            signature = next((choice.name for choice in choices if choice.part is not Part.ABOVE and choice.name), "")
        return truncate(signature or NO_FRAMES, self.config.signature_max_len), notes


def frames_of_calls(frames: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield the frames of functions that were called, each after the functions that were inlined into it.

    Wrong guesses are left out: where the stackwalker only scanned the stack for return addresses, and the symbols of
    a module have no function at one, or but a table of jumps (``.plt``), no call can have come from there.
    """
    return with_inlined(frame for frame in frames if not _is_wrong_guess(frame))


def _is_wrong_guess(frame: Mapping[str, Any]) -> bool:
    if frame.get("trust") != "scan" or frame.get("missing_symbols") is not False:
        return False
    function = frame.get("function")
    return not function or (isinstance(function, str) and _TABLE_OF_JUMPS.match(function) is not None)


def with_inlined(frames: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield each frame after the functions that were inlined into it, the innermost first."""
    for frame in frames:
        inlines = frame.get("inlines")
        if isinstance(inlines, list):
            yield from (inlined for inlined in inlines if isinstance(inlined, dict))
        yield frame


def holders_of(frames: Sequence[Mapping[str, Any]]) -> Iterator[int | None]:
    """Yield for each of ``frames_of_calls`` the position of the one that it was inlined into; None if in none."""
    position = 0
    for frame in frames:
        if _is_wrong_guess(frame):
            continue
        inlined = sum(1 for _ in with_inlined((frame,))) - 1
        position += inlined
        yield from repeat(position, inlined)
        yield None
        position += 1


def _with_lower_case_modules(frame: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the frame with names of modules as Windows compares them: MozGlue.DLL and mozglue.dll are the same."""
    changed: dict[str, Any] = {}
    if isinstance(module := frame.get("module"), str):
        changed["module"] = module.lower()
    if isinstance(unloaded := frame.get("unloaded_modules"), list):
        changed["unloaded_modules"] = [
            {**each, "module": each["module"].lower()}
            if isinstance(each, dict) and isinstance(each.get("module"), str)
            else each
            for each in unloaded[:1]
        ]
    return {**frame, **changed} if changed else frame
