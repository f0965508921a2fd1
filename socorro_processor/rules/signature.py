"""Rules that make the signature: by it crashes of one cause are found together."""

from __future__ import annotations

from socorro_processor.configuration import DotDict, Namespace
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import crashing_thread, section, thread_frames
from socorro_processor.signature.c_signature import DELIMITER, CSignatureTool, truncate


class SignatureGenerationRule(Rule):
    """Make the signature of the thread that crashed; of thread 0 where the browser hung.

    Reads ``json_dump``, ``hang_type``; writes ``signature``, ``proto_signature``,
    ``processing.siglists_version``, and ``normalized`` into each frame; notes why there is no signature.
    """

    required_config = Namespace()
    required_config.namespace("c_signature")
    required_config.c_signature.update(CSignatureTool.get_required_config())

    def __init__(self, config: DotDict | None = None) -> None:
        super().__init__(config)
        self.c_signature = CSignatureTool(self.config.c_signature)

    def action(self, crash: Crash) -> bool:
        lists = self.c_signature.lists.current
        hang_type = crash.processed.get("hang_type")
        thread = crashing_thread(crash)
        source = 0 if hang_type == 1 else thread
        names = self.c_signature.name_frames(
            [] if source is None else thread_frames(crash, source),
            lists,
            lower_case_modules=_is_windows(section(crash, "system_info").get("os")),
        )
        signature, notes = self.c_signature.generate(
            names, lists, hang_type if isinstance(hang_type, int) else 0, thread
        )
        crash.processed["proto_signature"] = DELIMITER.join(names)
        crash.processed["signature"] = signature
        crash.processed.setdefault("processing", {})["siglists_version"] = lists.version
        crash.notes.extend(notes)
        return True

    def reload(self) -> None:
        """Read the signature lists again; where they are bad keep the old ones and raise ConfigurationError."""
        self.c_signature.lists.reload()


class SigTrunc(Rule):
    """Cut a signature that other rules made longer than 255 characters. Reads and writes ``signature``."""

    maximum = 255

    def predicate(self, crash: Crash) -> bool:
        return len(crash.processed["signature"]) > self.maximum

    def action(self, crash: Crash) -> bool:
        crash.processed["signature"] = truncate(crash.processed["signature"], self.maximum)
        return True


def _is_windows(system: object) -> bool:
    return isinstance(system, str) and system.startswith("Windows")
