"""Rules that make the signature, which crashes with the same cause share."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import crashing_thread, section, thread_frames
from socorro_processor.signature.c_signature import DELIMITER, CSignatureTool, truncate
from socorro_processor.signature.characters import has_control_characters, without_control_characters
from socorro_processor.signature.explain import JavaExplanation, WalkedFrame
from socorro_processor.signature.frames import as_walked
from socorro_processor.signature.java_signature import JavaSignatureTool
from socorro_processor.signature.siglists import SigLists


class SignatureRule(Rule):
    """The base of rules that can tell why they change the signature."""

    def reason(self, crash: Crash) -> str:
        """Return the fact for which the signature is changed, for people; empty if there is none to tell."""
        return ""


class StackSignatureRule(SignatureRule):
    """The base of rules that make the signature from the stack of a thread."""

    tool_class: type[CSignatureTool] = CSignatureTool

    def __init__(self, config: DotDict | None = None) -> None:
        super().__init__(config)
        self.c_signature = self.tool_class(self.config.c_signature)

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = self.sign(crash, self.thread_to_sign(crash))
        return True

    def sign(self, crash: Crash, thread: int | None) -> str:
        """Return the signature of ``crash``, taking ``thread`` as the one that crashed."""
        crash.processed.setdefault("processing", {})["siglists_version"] = self.c_signature.lists.current.version
        signature, notes = self.java_signature_of(crash)
        crash.notes.extend(notes)
        return signature or self.sign_native_stack(crash, thread)

    def java_signature_of(self, crash: Crash) -> tuple[str, list[str]]:
        """Return the signature of the Java stack, empty if the native stack makes the signature, and notes."""
        raise NotImplementedError

    def explain_java(self, crash: Crash) -> JavaExplanation | None:
        """Return why the Java stack has its signature; None if that is not known."""
        return None

    def thread_to_sign(self, crash: Crash) -> int | None:
        """Return the index of the thread that makes the signature; None if it is not known."""
        return crashing_thread(crash)

    def frames_to_sign(self, crash: Crash, thread: int | None) -> list[dict[str, Any]]:
        """Return the frames that make the signature, as the stackwalker printed them."""
        raise NotImplementedError

    def name_frames(self, crash: Crash, thread: int | None, lists: SigLists) -> list[str]:
        """Return the normal forms of the frames that are considered, and write them into the frames."""
        return self.c_signature.name_frames(
            self.frames_to_sign(crash, thread), lists, lower_case_modules=_has_windows_modules(crash)
        )

    def walked_frames(self, crash: Crash, thread: int | None) -> list[WalkedFrame]:
        """Return the frames that are considered, before they are named, with the steps to their normal forms."""
        frames = self.frames_to_sign(crash, thread)[: self.c_signature.config.maximum_frames_to_consider]
        steps = self.c_signature.explain_frames(frames, lower_case_modules=_has_windows_modules(crash))
        return [WalkedFrame(as_walked(frame), tuple(each)) for frame, each in zip_longest(frames, steps, fillvalue=())]

    def reload(self) -> None:
        """Read the signature lists again. If they are bad, keep the old ones and raise ConfigurationError."""
        self.c_signature.lists.reload()

    def sign_native_stack(self, crash: Crash, thread: int | None) -> str:
        """Return the signature of a thread's frames, and write their names to ``crash``."""
        lists = self.c_signature.lists.current
        names = self.name_frames(crash, thread, lists)
        crash.processed["proto_signature"] = DELIMITER.join(filter(None, names))
        signature, notes = self.c_signature.generate(names, lists, hang_type(crash), thread)
        crash.notes.extend(notes)
        return signature


class SignatureGenerationRule(StackSignatureRule):
    """Make the signature from the Java stack, or, if there is none, from the thread that crashed.

    If the browser hung (``hang_type`` 1), that is taken to be thread 0. Reads
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
        self.java_signature = JavaSignatureTool(self.config.java_signature)

    def java_signature_of(self, crash: Crash) -> tuple[str, list[str]]:
        java_stack_trace = crash.raw.get("JavaStackTrace")
        return self.java_signature.generate(java_stack_trace) if java_stack_trace else ("", [])

    def frames_to_sign(self, crash: Crash, thread: int | None) -> list[dict[str, Any]]:
        source = 0 if hang_type(crash) == 1 else thread
        return [] if source is None else thread_frames(crash, source)


class WatchDogSignatureRule(StackSignatureRule):
    """The base of rules that sign a crash of the watchdog, which ends a shutdown that hangs.

    The watchdog runs in a thread of its own; thread 0, for which it waited, is the one that hung.
    """

    watchdog: str
    """Part of the signature of a crash of the watchdog."""

    def predicate(self, crash: Crash) -> bool:
        return self.watchdog in crash.processed["signature"]

    def reason(self, crash: Crash) -> str:
        return f"the signature has {self.watchdog}, so thread {self.thread_to_sign(crash)} is signed"

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = f"shutdownhang | {self.sign(crash, self.thread_to_sign(crash))}"
        return True

    def thread_to_sign(self, crash: Crash) -> int | None:
        return 0


class SignatureRunWatchDog(WatchDogSignatureRule, SignatureGenerationRule):
    """Sign a crash of the watchdog by thread 0, for which it waited.

    Reads ``signature``, and reads and writes the fields that SignatureGenerationRule reads and writes.
    """

    watchdog = "::RunWatchdog"


class SigTrunc(Rule):
    """Make a signature safe to store and read, whichever rules made it. Reads and writes ``signature``.

    Control and format characters become a space: they would control a terminal, end a line, or change the direction
    of writing. A signature of more than 255 characters is cut.
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
    """Return 1 if the browser hung, -1 if a plugin did, 0 if neither."""
    value = crash.processed.get("hang_type")
    return value if isinstance(value, int) else 0


def _has_windows_modules(crash: Crash) -> bool:
    """Return True if large and small letters are the same in names of modules."""
    system = section(crash, "system_info").get("os")
    return isinstance(system, str) and system.startswith("Windows")
