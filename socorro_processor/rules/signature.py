"""Rules that make the signature: by it crashes of one cause are found together."""

from __future__ import annotations

from typing import Any

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import crashing_thread, section, thread_frames
from socorro_processor.signature.c_signature import DELIMITER, CSignatureTool, truncate
from socorro_processor.signature.characters import has_control_characters, without_control_characters
from socorro_processor.signature.java_signature import JavaSignatureTool
from socorro_processor.signature.siglists import SigLists


class SignatureGenerationRule(Rule):
    """Make the signature: of the Java stack where there is one, else of the thread that crashed.

    Where the browser hung (``hang_type`` 1) thread 0 stands for the one that crashed. Reads
    ``raw.JavaStackTrace``, ``json_dump``, ``hang_type``; writes ``signature``,
    ``processing.siglists_version``, and but for Java stacks ``proto_signature`` and ``normalized`` into
    each frame; notes why there is no signature.
    """

    required_config = Namespace()
    required_config.namespace("c_signature")
    required_config.c_signature.update(CSignatureTool.get_required_config())
    required_config.namespace("java_signature")
    required_config.java_signature.update(JavaSignatureTool.get_required_config())

    def __init__(self, config: DotDict | None = None) -> None:
        super().__init__(config)
        self.c_signature = CSignatureTool(self.config.c_signature)
        self.java_signature = JavaSignatureTool(self.config.java_signature)

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = self.sign(crash, crashing_thread(crash))
        return True

    def sign(self, crash: Crash, thread: int | None) -> str:
        """The signature that ``crash`` has if it was ``thread`` that crashed."""
        lists = self.c_signature.lists.current
        crash.processed.setdefault("processing", {})["siglists_version"] = lists.version
        if java_stack_trace := crash.raw.get("JavaStackTrace"):
            signature, notes = self.java_signature.generate(java_stack_trace)
            crash.notes.extend(notes)
            return signature
        names = self.names(crash, thread, lists)
        crash.processed["proto_signature"] = DELIMITER.join(names)
        signature, notes = self.c_signature.generate(names, lists, hang_type(crash), thread)
        crash.notes.extend(notes)
        return signature

    def names(self, crash: Crash, thread: int | None, lists: SigLists) -> list[str]:
        """The normal forms of the frames that are considered, which are written into them."""
        return self.c_signature.name_frames(
            self.frames(crash, thread),
            lists,
            lower_case_modules=_is_windows(section(crash, "system_info").get("os")),
        )

    def frames(self, crash: Crash, thread: int | None) -> list[dict[str, Any]]:
        """Return the frames of which the signature is made, as the stackwalker gave them."""
        source = 0 if hang_type(crash) == 1 else thread
        return [] if source is None else thread_frames(crash, source)

    def reload(self) -> None:
        """Read the signature lists again; where they are bad keep the old ones and raise ConfigurationError."""
        self.c_signature.lists.reload()


class SignatureRunWatchDog(SignatureGenerationRule):
    """Sign a crash of the watchdog, which ends a shutdown that hangs, by the thread that it waited for.

    The watchdog runs in a thread of its own; what hung is thread 0. Reads ``signature``, and what
    SignatureGenerationRule does; rewrites all that it writes.
    """

    def predicate(self, crash: Crash) -> bool:
        return "::RunWatchdog" in crash.processed["signature"]

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = f"shutdownhang | {self.sign(crash, 0)}"
        return True


class SigTrunc(Rule):
    """Make a signature fit to be stored and read, whatever rules it is from. Reads and writes ``signature``.

    Control and format characters become a space: they would steer a terminal, end a line, or turn the direction of
    writing. More than 255 characters are cut.
    """

    maximum = 255

    def predicate(self, crash: Crash) -> bool:
        signature = crash.processed["signature"]
        return len(signature) > self.maximum or has_control_characters(signature)

    def action(self, crash: Crash) -> bool:
        signature = without_control_characters(crash.processed["signature"])
        crash.processed["signature"] = truncate(signature, self.maximum)
        return True


def hang_type(crash: Crash) -> int:
    """1 where the browser hung, -1 where a plugin did, else 0."""
    value = crash.processed.get("hang_type")
    return value if isinstance(value, int) else 0


def _is_windows(system: object) -> bool:
    return isinstance(system, str) and system.startswith("Windows")
