"""The results of classifiers: ``classifications.<kind>`` of the processed crash."""

from __future__ import annotations

from typing import Any

from socorro_processor.pipeline.rule import Crash


def classifications_of_kind(crash: Crash, kind: str) -> dict[str, Any]:
    """Return the result of the classifiers of a kind; empty if they have none."""
    classifications = crash.processed.get("classifications")
    result = classifications.get(kind) if isinstance(classifications, dict) else None
    return result if isinstance(result, dict) else {}


def record_classification(crash: Crash, kind: str, result: dict[str, Any]) -> None:
    """Set the result of the classifiers of a kind; results of other kinds stay as they are."""
    classifications = crash.processed.get("classifications")
    if not isinstance(classifications, dict):
        classifications = crash.processed["classifications"] = {}
    classifications[kind] = result


def classification(name: str, version: str, data: str | None = None) -> dict[str, Any]:
    """Return the result of a classifier of ``support`` or ``skunk_works``."""
    return {"classification": name, "classification_data": data, "classification_version": version}
