"""Where classifiers put what they found out: ``classifications.<kind>`` of the processed crash."""

from __future__ import annotations

from typing import Any

from socorro_processor.pipeline.rule import Crash


def of_kind(crash: Crash, kind: str) -> dict[str, Any]:
    """What classifiers of a kind have found; empty where they have not."""
    classifications = crash.processed.get("classifications")
    found = classifications.get(kind) if isinstance(classifications, dict) else None
    return found if isinstance(found, dict) else {}


def record(crash: Crash, kind: str, found: dict[str, Any]) -> None:
    """Set what classifiers of a kind have found; the other kinds stay as they are."""
    classifications = crash.processed.get("classifications")
    if not isinstance(classifications, dict):
        classifications = crash.processed["classifications"] = {}
    classifications[kind] = found


def classification(name: str, version: str, data: str | None = None) -> dict[str, Any]:
    """What a classifier of support or of the skunk works finds."""
    return {"classification": name, "classification_data": data, "classification_version": version}
