"""The classifiers of the skunk works: they recognize hangs of plugins by the stacks of their processes.

A plugin that hangs is killed, and its crash has a dump of each process involved: the plugin's, and Flash's own two.
The first rule that knows the hang ends the search, and writes its result to ``classifications.skunk_works``. Frames
are compared by their normal form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.classifications import classification, classifications_of_kind, record_classification
from socorro_processor.rules.json_dump import frames_of, section
from socorro_processor.signature.c_signature import CSignatureTool

FLASH_DUMP = "upload_file_minidump_flash2"
"""The dump of the Flash process that draws and has windows."""
PLUGIN_DUMP = "upload_file_minidump_plugin"

_TOP = 5
"""Frames from the top in which a hang shows."""


class SkunkClassificationRule(Rule):
    """The base of these classifiers, which run only if there is no classification yet.

    Writes ``classifications.skunk_works``.
    """

    version = "0.1"

    def predicate(self, crash: Crash) -> bool:
        return not classifications_of_kind(crash, "skunk_works")

    def classify(self, crash: Crash, name: str, data: str | None = None) -> bool:
        record_classification(crash, "skunk_works", classification(name, self.version, data))
        return True


class StackRule(SkunkClassificationRule):
    """The base of classifiers that look at stacks; they write ``normalized`` into the frames that they look at."""

    required_config = Namespace()
    required_config.namespace("c_signature")
    required_config.c_signature.update(CSignatureTool.get_required_config())

    def __init__(self, config: DotDict | None = None) -> None:
        super().__init__(config)
        self.c_signature = CSignatureTool(self.config.c_signature)

    def shows(self, frames: Iterable[dict[str, Any]], beginning: str) -> bool:
        """Return True if the name of one of the top frames has this beginning. Frames below that one are not read."""
        return any(name.startswith(beginning) for name in self._names(islice(frames, _TOP)))

    def reload(self) -> None:
        """Read the signature lists again. If they are bad, keep the old ones and raise ConfigurationError."""
        self.c_signature.lists.reload()

    def _names(self, frames: Iterable[dict[str, Any]]) -> Iterator[str]:
        lists = self.c_signature.lists.current
        for frame in frames:
            frame["normalized"] = self.c_signature.name_frame(frame, lists)
            yield frame["normalized"]


class UpdateWindowAttributes(StackRule):
    """Find a plugin that waits for the browser, which in turn waits for the plugin to change its window.

    Reads the plugin's stack: three frames in this order. The data is the frame that called UpdateWindowAttributes.
    """

    frames = (
        "F_1152915508___________________________________",
        "mozilla::plugins::PluginInstanceChild::UpdateWindowAttributes",
        "mozilla::ipc::RPCChannel::Call",
    )

    def action(self, crash: Crash) -> bool:
        positions: list[int] = []
        frames = plugin_frames(crash)[: self.c_signature.config.maximum_frames_to_consider]
        for position, frame in enumerate(frames):
            if len(positions) < len(self.frames) and self._contains(frame, self.frames[len(positions)]):
                positions.append(position)
        if len(positions) < len(self.frames):
            return False
        return self.classify(crash, "adbe-3355131", self._name(frames[positions[1] + 1]))

    def _contains(self, frame: dict[str, Any], name: str) -> bool:
        # A name in the normal form is in the function too, so most frames need no normal form.
        function = frame.get("function")
        return isinstance(function, str) and name in function and name in self._name(frame)

    def _name(self, frame: dict[str, Any]) -> str:
        return self.c_signature.name_frame(frame, self.c_signature.lists.current)


class SetWindowPos(StackRule):
    """Find a process that waits for a window to be placed, and say whose code placed it."""

    plugin_callers = ("F_320940052", "F_1378698112", "F_468782153")
    flash_callers = ("F455544145",)

    def action(self, crash: Crash) -> bool:
        return self._classify_caller(crash, plugin_frames(crash), self.plugin_callers) or self._classify_caller(
            crash, dump_frames(crash, FLASH_DUMP), self.flash_callers
        )

    def _classify_caller(self, crash: Crash, frames: list[dict[str, Any]], callers: tuple[str, ...]) -> bool:
        if not self.shows(frames, "NtUserSetWindowPos"):
            return False
        caller = next((caller for caller in callers if self.shows(frames, caller)), "other")
        return self.classify(crash, f"NtUserSetWindowPos | {caller}")


class SendWaitReceivePort(StackRule):
    """Find a Flash process that waits for an answer from another process."""

    def action(self, crash: Crash) -> bool:
        return self.shows(dump_frames(crash, FLASH_DUMP), "NtAlpcSendWaitReceivePort") and self.classify(
            crash, "NtAlpcSendWaitReceivePort"
        )


class Bug811804(SkunkClassificationRule):
    """Find the hang of bug 811804 by the signature of Flash's dump, if another rule has made one."""

    flash_signature = "hang | NtUserWaitMessage | F34033164________________________________"

    def action(self, crash: Crash) -> bool:
        dump = crash.processed.get(FLASH_DUMP)
        if not isinstance(dump, dict) or dump.get("signature") != self.flash_signature:
            return False
        return self.classify(crash, "bug811804-NtUserWaitMessage")


class Bug812318(StackRule):
    """Find a Flash process that looks for messages, and say whether it is the hang of bug 812318."""

    caller = "F849276792______________________________"

    def action(self, crash: Crash) -> bool:
        frames = dump_frames(crash, FLASH_DUMP)
        if not self.shows(frames, "NtUserPeekMessage"):
            return False
        is_bug = self.shows(frames, self.caller)
        return self.classify(crash, "bug812318-PeekMessage" if is_bug else "NtUserPeekMessage-other")


class NullClassification(SkunkClassificationRule):
    """Mark a crash that no earlier rule knows as not classified."""

    def action(self, crash: Crash) -> bool:
        return self.classify(crash, "not classified")


def plugin_frames(crash: Crash) -> list[dict[str, Any]]:
    """Return the frames of the plugin's crashing thread; from the main dump if that is the plugin's."""
    if crash.processed.get("process_type") == "plugin":
        return frames_of(section(crash, "crashing_thread"))
    return dump_frames(crash, PLUGIN_DUMP)


def dump_frames(crash: Crash, dump_name: str) -> list[dict[str, Any]]:
    """Return the frames of an additional dump's crashing thread; empty if there is no such dump."""
    dump = crash.processed.get(dump_name)
    json_dump = dump.get("json_dump") if isinstance(dump, dict) else None
    return frames_of(json_dump.get("crashing_thread")) if isinstance(json_dump, dict) else []
