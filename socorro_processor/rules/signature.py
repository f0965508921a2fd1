"""Rules that make the signature, which crashes of the same cause share."""

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
    """Make the signature: of the Java stack if there is one, else of the thread that crashed.

    If the browser hung (``hang_type`` 1), thread 0 is taken for the one that crashed. Reads
    ``raw.JavaStackTrace``, ``json_dump``, ``hang_type``; writes ``signature``, ``processing.siglists_version``, and,
    except for Java stacks, ``proto_signature`` and ``normalized`` in each frame; notes why there is no signature.
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
        """Return the signature of ``crash`` if ``thread`` is the one that crashed."""
        lists = self.c_signature.lists.current
        crash.processed.setdefault("processing", {})["siglists_version"] = lists.version
        if java_stack_trace := crash.raw.get("JavaStackTrace"):
            signature, notes = self.java_signature.generate(java_stack_trace)
            crash.notes.extend(notes)
            return signature
        names = self.name_frames(crash, thread, lists)
        crash.processed["proto_signature"] = DELIMITER.join(names)
        signature, notes = self.c_signature.generate(names, lists, hang_type(crash), thread)
        crash.notes.extend(notes)
        return signature

    def name_frames(self, crash: Crash, thread: int | None, lists: SigLists) -> list[str]:
        """Return the normal forms of the frames that are considered, and write them into the frames."""
        return self.c_signature.name_frames(
            self.frames_to_sign(crash, thread),
            lists,
            lower_case_modules=_is_windows(section(crash, "system_info").get("os")),
        )

    def frames_to_sign(self, crash: Crash, thread: int | None) -> list[dict[str, Any]]:
        """Return the frames that make the signature, as the stackwalker gave them."""
        source = 0 if hang_type(crash) == 1 else thread
        return [] if source is None else thread_frames(crash, source)

    def reload(self) -> None:
        """Read the signature lists again. If they are bad, keep the old ones and raise ConfigurationError."""
        self.c_signature.lists.reload()


class SignatureRunWatchDog(SignatureGenerationRule):
    """Sign a crash of the watchdog, which ends a shutdown that hangs, by the thread that it waited for.

    The watchdog runs in a thread of its own; thread 0 is the one that hung. Reads ``signature`` and the same fields
    as SignatureGenerationRule; rewrites all fields that it writes.
    """

    def predicate(self, crash: Crash) -> bool:
        return "::RunWatchdog" in crash.processed["signature"]

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = f"shutdownhang | {self.sign(crash, 0)}"
        return True


class SigTrunc(Rule):
    """Make a signature fit to be stored and read, whichever rules made it. Reads and writes ``signature``.

    Control and format characters become a space: they would control a terminal, end a line, or change the direction
    of writing. More than 255 characters are cut.
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
    """Return 1 if the browser hung, -1 if a plugin did, else 0."""
    value = crash.processed.get("hang_type")
    return value if isinstance(value, int) else 0


def _is_windows(system: object) -> bool:
    return isinstance(system, str) and system.startswith("Windows")
