"""Signatures of C, C++ and Rust stacks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, defaults
from socorro_processor.signature.frames import normalize
from socorro_processor.signature.siglists import SigLists, SigListsInUse, default_directory

DELIMITER = " | "
HANG_PREFIXES = {-1: "hang", 1: "chromehang"}
NO_THREAD = "EMPTY: no crashing thread identified"
NO_FRAMES = "EMPTY: no frame data available"


def truncate(signature: str, maximum: int) -> str:
    """``signature``, its end replaced by ``...`` where it is longer than ``maximum``."""
    return signature if len(signature) <= maximum else signature[: max(0, maximum - 3)] + "..."


class CSignatureTool(RequiredConfig):
    """Names the frames of a thread, and chooses those that say what crashed."""

    required_config = Namespace()
    required_config.add_option(
        "siglists_directory",
        default="",
        doc="directory of the five signature lists; empty: the project's own",
    )
    required_config.add_option(
        "maximum_frames_to_consider",
        default=40,
        doc="how many frames of a thread are looked at, from the top",
    )
    required_config.add_option(
        "collapse_arguments",
        default=False,
        doc="leave argument lists out of signatures",
    )
    required_config.add_option(
        "signature_max_len",
        default=255,
        doc="a longer signature is cut, and ends in ...",
    )

    def __init__(self, config: DotDict | None = None) -> None:
        """Raises ConfigurationError where the lists are missing or bad."""
        self.config = defaults(type(self)) if config is None else config
        directory = self.config.siglists_directory
        self.lists = SigListsInUse(Path(directory) if directory else default_directory())

    def name_frames(self, frames: Sequence[dict[str, Any]], lists: SigLists, *, lower_case_modules: bool) -> list[str]:
        """The normal form of each frame considered; writes it into the frame, as ``normalized``.

        With ``lower_case_modules`` the frame's ``module`` becomes lower case too: Windows does not
        tell MozGlue.DLL from mozglue.dll, and reports now one, now the other.
        """
        names = []
        for frame in islice(frames, max(0, self.config.maximum_frames_to_consider)):
            if lower_case_modules and isinstance(frame.get("module"), str):
                frame["module"] = frame["module"].lower()
            frame["normalized"] = normalize(
                frame, lists.line_numbers, collapse_arguments=self.config.collapse_arguments
            )
            names.append(frame["normalized"])
        return names

    def generate(
        self, names: Sequence[str], lists: SigLists, hang_type: int, crashing_thread: int | None
    ) -> tuple[str, list[str]]:
        """The signature of a stack with these ``names``, and notes for the reader of the crash."""
        notes: list[str] = []
        names = _from_first_sentinel(names, lists)
        chosen = _chosen(names, lists)
        if hang_type in HANG_PREFIXES:
            chosen.insert(0, HANG_PREFIXES[hang_type])
        signature = DELIMITER.join(chosen)
        if not signature and crashing_thread is None:
            notes.append("no signature: it is not known which thread crashed")
            signature = NO_THREAD
        elif not signature:
            notes.append(f"no proper signature: no frame of thread {crashing_thread}, which crashed, says anything")
            signature = names[0] if names else NO_FRAMES
        # Signatures have always been stored with single quotes doubled; new ones must equal the old.
        signature = signature.replace("'", "''")
        if len(signature) > self.config.signature_max_len:
            notes.append(f"signature cut to {self.config.signature_max_len} characters")
        return truncate(signature, self.config.signature_max_len), notes


def _from_first_sentinel(names: Sequence[str], lists: SigLists) -> Sequence[str]:
    for position, name in enumerate(names):
        if name in lists.sentinel_frames:
            return names[position:]
    return names


def _chosen(names: Sequence[str], lists: SigLists) -> list[str]:
    """The prefixes and the first frame that is none; without irrelevant frames and trimmed repetitions."""
    chosen: list[str] = []
    for name in names:
        if lists.irrelevant.matches(name):
            continue
        if lists.trim_dll.matches(name):
            name = name.split("@", 1)[0]
            if chosen and chosen[-1] == name:
                continue
        chosen.append(name)
        if not lists.prefix.matches(name):
            break
    return chosen
