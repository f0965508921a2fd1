"""Rules that carry Mozilla's annotations over into the processed crash."""

from __future__ import annotations

from collections.abc import Mapping

from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.json_dump import frames_of, section


class ProductRule(Rule):
    """Say which build of which product crashed.

    Reads the annotations of its table; writes a field for each; notes one that is no string.
    """

    def action(self, crash: Crash) -> bool:
        _carry_over(
            crash,
            {
                "product": ("ProductName", ""),
                "version": ("Version", ""),
                "productid": ("ProductID", ""),
                "distributor": ("Distributor", None),
                "distributor_version": ("Distributor_version", None),
                # The second is how the store for searches has always known it.
                "release_channel": ("ReleaseChannel", ""),
                "ReleaseChannel": ("ReleaseChannel", ""),
                "build": ("BuildID", ""),
            },
        )
        return True


class UserDataRule(Rule):
    """Carry over what tells something about the user.

    Reads ``raw.URL``, ``raw.Comments``, ``raw.Email``; writes ``url``, ``user_comments``, ``email``, and
    ``user_id``, always empty; notes an annotation that is no string.
    """

    def action(self, crash: Crash) -> bool:
        _carry_over(crash, {"url": ("URL", None), "user_comments": ("Comments", None), "email": ("Email", None)})
        crash.processed["user_id"] = ""
        return True


class EnvironmentRule(Rule):
    """Carry over the product's own notes. Reads ``raw.Notes``; writes ``app_notes``; notes one that is no string."""

    def action(self, crash: Crash) -> bool:
        _carry_over(crash, {"app_notes": ("Notes", "")})
        return True


class TopMostFilesRule(Rule):
    """Name the source file nearest to the crash.

    Reads ``json_dump.crashing_thread``; writes ``topmost_filenames``: None where no frame has a file.
    """

    def action(self, crash: Crash) -> bool:
        frames = frames_of(section(crash, "crashing_thread"))
        files = (file for frame in frames if isinstance(file := frame.get("file"), str) and file)
        crash.processed["topmost_filenames"] = next(files, None)
        return True


def _carry_over(crash: Crash, fields: Mapping[str, tuple[str, str | None]]) -> None:
    """Set each field to its annotation, or to what is given beside it where there is none.

    Annotations are strings. One that is not came from no client of ours, and what reads the
    processed crash would stumble over it: it counts as absent.
    """
    for field, (annotation, absent) in fields.items():
        value = crash.raw.get(annotation)
        if value is not None and not isinstance(value, str):
            crash.note(f"{annotation} is no string, but {type(value).__name__}")
            value = None
        crash.processed[field] = absent if value is None else value
