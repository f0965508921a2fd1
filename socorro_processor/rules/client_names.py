"""The rule that names the program, whichever client sent the crash: Mozilla's, Electron's, Breakpad's, Sentry's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from socorro_processor.fields import FIELDS_BY_NAME
from socorro_processor.fields.values import NotOfType, is_empty, mapping, string
from socorro_processor.pipeline.rule import Crash, Rule
from socorro_processor.rules.sent_annotations import first_sent, note_once, sent

_OWN_NAMES = ("_productName", "_version")
"""Names of an application that is built on a framework, which sends its own as ``prod`` and ``ver``."""
_OF_FRAMEWORK: Mapping[str, str] = {"prod": "framework", "ver": "framework_version"}
_SENTRY = "sentry"
_RELEASE, _ENVIRONMENT = f"{_SENTRY}[release]", f"{_SENTRY}[environment]"


def _annotations_of(name: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return the annotations of a field but Sentry's, those of them that are not a framework's, and Sentry's."""
    *names, by_sentry = FIELDS_BY_NAME[name].annotations
    return tuple(names), tuple(each for each in names if each not in _OF_FRAMEWORK), by_sentry


_NAMES = {name: _annotations_of(name) for name in ("product", "version", "release_channel", "build")}


class ClientNamesRule(Rule):
    """Say which build of which program crashed, on which channel.

    Reads the annotations of its fields, and ``raw.sentry``; writes ``product``, ``version``, ``release_channel``,
    ``build``, and, where an application's own names are there, ``framework`` and ``framework_version``. Notes values
    that are not texts.
    """

    fields = frozenset((*_NAMES, *_OF_FRAMEWORK.values()))

    def action(self, crash: Crash) -> bool:
        has_framework = any(sent(crash, name) is not None for name in _OWN_NAMES)
        sentry = _sentry(crash)
        for name, (names, without_framework, by_sentry) in _NAMES.items():
            value = first_sent(crash, without_framework if has_framework else names)
            crash.processed[name] = value or (getattr(sentry[by_sentry], name) if sentry else "")
        if has_framework:
            for annotation, name in _OF_FRAMEWORK.items():
                if value := first_sent(crash, (annotation,)):
                    crash.processed[name] = value
        return True


class _Release(NamedTuple):
    """Names in Sentry's annotations: product, version and build of the release, and the environment as channel."""

    product: str = ""
    version: str = ""
    build: str = ""
    release_channel: str = ""

    @classmethod
    def of(cls, text: str) -> _Release:
        """Read ``package@version+build``. A text without ``@`` is a version; packages may begin with one."""
        text = text.strip()
        at = text.find("@", 1)
        if at < 0:
            return cls(version=text)
        version, _, build = text[at + 1 :].partition("+")
        return cls(text[:at].strip(), version.strip(), build.strip())


def _sentry(crash: Crash) -> Mapping[str, _Release]:
    """Return Sentry's names by their annotations; they come flattened or as one object. Empty if there are none."""
    if crash.raw.keys().isdisjoint((_RELEASE, _ENVIRONMENT, _SENTRY)):
        return {}
    release, environment = (first_sent(crash, (name,)) for name in (_RELEASE, _ENVIRONMENT))
    if None in (release, environment) and (document := sent(crash, _SENTRY)) is not None:
        parts = _document(crash, document)
        release, environment = release or parts.get("release"), environment or parts.get("environment")
    return {
        _RELEASE: _Release.of(release or ""),
        _ENVIRONMENT: _Release(release_channel=(environment or "").strip()),
    }


def _document(crash: Crash, value: object) -> Mapping[str, str]:
    try:
        document = mapping(value)
        parts = (part for part in ("release", "environment") if not is_empty(document.get(part)))
        return {part: string(document[part]) for part in parts}
    except NotOfType as error:
        note_once(crash, f"{_SENTRY} is left out: {error}")
        return {}
