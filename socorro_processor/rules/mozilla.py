"""Rules that carry Mozilla's annotations over into the processed crash."""

from __future__ import annotations

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.annotations import carry_over
from socorro_processor.rules.json_dump import crashing_thread, frames_of, section, thread_frames


class ProductRule(Rule):
    """Say which build of which product crashed.

    Reads the annotations in its table; writes a field for each; notes an annotation that is not a string.
    """

    def action(self, crash: Crash) -> bool:
        carry_over(
            crash,
            {
                "product": ("ProductName", ""),
                "version": ("Version", ""),
                "productid": ("ProductID", ""),
                "distributor": ("Distributor", None),
                "distributor_version": ("Distributor_version", None),
                # Searches have always known it by the second name.
                "release_channel": ("ReleaseChannel", ""),
                "ReleaseChannel": ("ReleaseChannel", ""),
                "build": ("BuildID", ""),
            },
        )
        return True


class UserDataRule(Rule):
    """Carry over the annotations about the user.

    Reads ``raw.URL``, ``raw.Comments``, ``raw.Email``; writes ``url``, ``user_comments``, ``email``, and
    ``user_id``, always empty; notes an annotation that is not a string.
    """

    def action(self, crash: Crash) -> bool:
        carry_over(crash, {"url": ("URL", None), "user_comments": ("Comments", None), "email": ("Email", None)})
        crash.processed["user_id"] = ""
        return True


class EnvironmentRule(Rule):
    """Carry over the product's own notes.

    Reads ``raw.Notes``; writes ``app_notes``; notes an annotation that is not a string.
    """

    def action(self, crash: Crash) -> bool:
        carry_over(crash, {"app_notes": ("Notes", "")})
        return True


class JavaProcessRule(Rule):
    """Carry over the stack of a Java exception; if there is none, set it to None.

    Reads and writes ``raw.JavaStackTrace``; writes ``java_stack_trace``; notes an annotation that is not a string.
    """

    def action(self, crash: Crash) -> bool:
        carry_over(crash, {"java_stack_trace": ("JavaStackTrace", None)})
        crash.raw.setdefault("JavaStackTrace", None)
        return True


class Winsock_LSPRule(Rule):
    """Carry over the list of programs hooked into the network layer of Windows.

    Reads ``raw.Winsock_LSP``; writes ``Winsock_LSP``; notes an annotation that is not a string.
    """

    def action(self, crash: Crash) -> None:
        carry_over(crash, {"Winsock_LSP": ("Winsock_LSP", None)})


class TopMostFilesRule(Rule):
    """Name the source file nearest to the crash.

    Reads ``json_dump.threads``; writes ``topmost_filenames``: None if no frame of the thread that crashed has a file.
    """

    def action(self, crash: Crash) -> bool:
        thread = crashing_thread(crash)
        # Breakpad's stackwalker puts only the first ten frames into `crashing_thread`.
        frames = thread_frames(crash, thread) if thread is not None else []
        frames = frames or frames_of(section(crash, "crashing_thread"))
        files = (file for frame in frames if isinstance(file := frame.get("file"), str) and file)
        crash.processed["topmost_filenames"] = next(files, None)
        return True
