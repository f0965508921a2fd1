"""Preview which signatures would change with other signature lists, or with another algorithm."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from socorro_processor.configuration import DotDict
from socorro_processor.pipeline.rule import Crash
from socorro_processor.signature.dead_entries import DeadEntry
from socorro_processor.signature.siglists import SigLists
from socorro_processor.signing.signer import Signer


class Preview:
    """Signs crashes by the lists in use and by others, and collects the differences. Nothing is saved."""

    def __init__(self, processor: DotDict, directory: Path | None, tried: DotDict | None = None) -> None:
        """``processor`` is the section of that name, ``directory`` has the other lists; None: those in use.

        ``tried`` is the section ``processor`` with another algorithm, if that is tried.

        Raises ConfigurationError, which names all mistakes in these lists; SocorroError if no rule makes a signature.
        """
        if directory:
            SigLists.load(directory)
        self._current_signer = Signer(processor)
        self._other_signer = Signer(tried or processor, directory)
        self.crash_ids: dict[tuple[str, str], list[str]] = defaultdict(list)
        """The crashes whose signature would change, by the signatures of today's lists and of the others."""
        self.looked_at = 0
        self.outdated = 0
        """The number of crashes whose stored signature differs from that of today's lists."""

    def dead_entries(self) -> Iterator[DeadEntry]:
        """Yield the entries of the other lists that can match no frame."""
        return self._other_signer.dead_entries()

    @property
    def changed(self) -> int:
        return sum(map(len, self.crash_ids.values()))

    def add(self, crash: Crash) -> None:
        """Sign a crash that ``crash_to_sign`` returned."""
        stored = crash.processed["signature"]
        crash_copy = copy.deepcopy(crash)
        self._current_signer.sign(crash)
        self._other_signer.sign(crash_copy)
        before, after = crash.processed["signature"], crash_copy.processed["signature"]
        self.looked_at += 1
        self.outdated += bool(stored) and stored != before
        if before != after:
            self.crash_ids[before, after].append(crash.id)

    def by_count(self) -> list[tuple[tuple[str, str], list[str]]]:
        """Return the changes with their crashes, the most frequent first."""
        return sorted(self.crash_ids.items(), key=lambda each: (-len(each[1]), each[0]))

    def __str__(self) -> str:
        text = f"{self.changed} of {self.looked_at} crashes would change their signature"
        if self.outdated:
            text += f"; {self.outdated} change with any reprocessing, because their signatures are not by today's lists"
        return text
