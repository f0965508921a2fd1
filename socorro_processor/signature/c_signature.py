"""Signatures of C, C++ and Rust stacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, WholeNumber, defaults
from socorro_processor.signature.frames import normalize
from socorro_processor.signature.normal_form import Step
from socorro_processor.signature.siglists import SigLists, default_directory, lists_in_use

DELIMITER = " | "
HANG_PREFIXES = {-1: "hang", 1: "chromehang"}
NO_THREAD = "EMPTY: no crashing thread identified"
NO_FRAMES = "EMPTY: no frame data available"


class Part(Enum):
    """The part that a frame has in the signature of its stack."""

    ABOVE = "above the sentinel"
    IRRELEVANT = "irrelevant"
    REPEATED = "repeated"
    """It has the same text as the frame chosen before."""
    PREFIX = "prefix"
    END = "end"
    BELOW = "below the end"


@dataclass(frozen=True)
class Choice:
    """A frame, and its part in the signature."""

    name: str
    part: Part
    text: str = ""
    """The text of the frame in the signature; empty if it is not in it."""


def truncate(signature: str, maximum: int) -> str:
    """Return ``signature``, its end replaced by ``...`` if it is longer than ``maximum``."""
    return signature if len(signature) <= maximum else signature[: max(0, maximum - 3)] + "..."


class CSignatureTool(RequiredConfig):
    """Names the frames of a thread, and chooses those that make the signature."""

    required_config = Namespace()
    required_config.add_option(
        "siglists_directory",
        default="",
        doc="directory of the five signature lists (empty: the project's own)",
        reference_value_from="resource.signature",
    )
    required_config.add_option(
        "maximum_frames_to_consider",
        default=40,
        doc="number of frames of a thread that are considered, from the top",
        from_string_converter=WholeNumber(1),
        reference_value_from="resource.signature",
    )
    required_config.add_option(
        "collapse_arguments",
        default=False,
        doc="leave argument lists out of signatures",
        reference_value_from="resource.signature",
    )
    required_config.add_option(
        "signature_max_len",
        default=255,
        doc="maximum length of a signature; a longer one is cut, and ends in ...",
        from_string_converter=WholeNumber(4),
        reference_value_from="resource.signature",
    )

    own_lists = staticmethod(default_directory)
    """Returns the directory of the project's own lists."""

    hang_prefixes: Mapping[int, str] = HANG_PREFIXES
    """The text in front of the signature of a hang, by ``hang_type``."""

    drops_equal_frames = False
    """True if no chosen frame has the text of the one chosen before. Otherwise only no trimmed one has."""

    has_steps = False
    """True if ``explain_frames`` knows the steps to a normal form."""

    def __init__(self, config: DotDict | None = None) -> None:
        """Read the lists. Raises ConfigurationError if they are missing or bad."""
        self.config = defaults(type(self)) if config is None else config
        directory = self.config.siglists_directory
        self.lists = lists_in_use(Path(directory) if directory else self.own_lists())
        """The lists, shared by all tools of this directory."""

    def name_frames(self, frames: Sequence[dict[str, Any]], lists: SigLists, *, lower_case_modules: bool) -> list[str]:
        """Return the normal form of each frame considered, and write it into the frame, as ``normalized``.

        With ``lower_case_modules``, the frame's ``module`` becomes lower case too: Windows reports the same module now
        as MozGlue.DLL, now as mozglue.dll.
        """
        names = []
        for frame in islice(frames, max(0, self.config.maximum_frames_to_consider)):
            if lower_case_modules and isinstance(frame.get("module"), str):
                frame["module"] = frame["module"].lower()
            frame["normalized"] = self.name_frame(frame, lists)
            names.append(frame["normalized"])
        return names

    def name_frame(self, frame: Mapping[str, Any], lists: SigLists) -> str:
        """Return the normal form of a frame; the frame itself stays as it is."""
        return normalize(frame, lists.line_numbers, collapse_arguments=self.config.collapse_arguments)

    def explain_frames(self, frames: Sequence[Mapping[str, Any]], *, lower_case_modules: bool) -> list[list[Step]]:
        """Return the steps to the normal form of each frame; nothing if they are not known."""
        return []

    def choose_frames(self, names: Sequence[str], lists: SigLists) -> list[Choice]:
        """Choose the frames of a signature, which is made from their ``text``, in this order.

        An empty name says nothing, and is never chosen.
        """
        choices = list(self.choose_to_end(names, lists))
        return choices + [Choice(below, Part.BELOW) for below in names[len(choices) :]]

    def choose_to_end(self, names: Sequence[str], lists: SigLists) -> Iterator[Choice]:
        """Yield what ``choose_frames`` returns, but for the frames below the end, which are in no signature."""
        start = next((position for position, name in enumerate(names) if name in lists.sentinel_frames), 0)
        yield from (Choice(name, Part.ABOVE) for name in names[:start])
        previous = ""
        for name in names[start:]:
            if not name or lists.irrelevant.matches(name):
                yield Choice(name, Part.IRRELEVANT)
                continue
            is_trimmed = lists.trim_dll.matches(name)
            text = self.without_offset(name) if is_trimmed else name
            if text == previous and (is_trimmed or self.drops_equal_frames):
                yield Choice(name, Part.REPEATED)
                continue
            previous = text
            if not lists.prefix.matches(text):
                yield Choice(name, Part.END, text)
                return
            yield Choice(name, Part.PREFIX, text)

    @staticmethod
    def without_offset(name: str) -> str:
        """Return the name of a frame in a module of the trim list without the offset."""
        return name.split("@", 1)[0]

    def generate(
        self, names: Sequence[str], lists: SigLists, hang_type: int, crashing_thread: int | None
    ) -> tuple[str, list[str]]:
        """Return the signature of a stack with these ``names``, and notes for the reader of the crash."""
        notes: list[str] = []
        choices = self.choose_frames(names, lists)
        chosen = [choice.text for choice in choices if choice.text]
        if hang_type in self.hang_prefixes:
            chosen.insert(0, self.hang_prefixes[hang_type])
        signature = DELIMITER.join(chosen)
        if not signature and crashing_thread is None:
            notes.append("no signature: it is not known which thread crashed")
            signature = NO_THREAD
        elif not signature:
            notes.append(f"no proper signature: no frame of thread {crashing_thread}, which crashed, says anything")
            signature = next((choice.name for choice in choices if choice.part is not Part.ABOVE), NO_FRAMES)
        # Signatures have always been stored with single quotes doubled; new ones must equal the old.
        signature = signature.replace("'", "''")
        if len(signature) > self.config.signature_max_len:
            notes.append(f"signature cut to {self.config.signature_max_len} characters")
        return truncate(signature, self.config.signature_max_len), notes
