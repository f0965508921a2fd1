"""Copy a processed crash without the keys that not everyone may see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, class_converter
from socorro_processor.fields import FieldTable, Protection, field_options, follows_table

_Forbidden = dict[str, "_Forbidden"]
"""The forbidden keys as a tree; a key without any below it is itself forbidden."""


class Redactor(RequiredConfig):
    """Removes ``forbidden_keys``; a dot in a key leads into an inner object.

    The walk of an additional minidump is stored under the name of the minidump, which comes from a stranger. The
    same keys are removed there.

    A crash of ``ProcessorAlgorithm2026`` loses what the table of fields protects. There ``forbidden_keys`` adds to the
    table and takes nothing from it; its default adds nothing that the table calls public.
    """

    required_config = Namespace()
    required_config.add_option(
        "forbidden_keys",
        default=(
            "url, email, user_id, exploitability, json_dump.sensitive, "
            "upload_file_minidump_flash1.json_dump.sensitive, "
            "upload_file_minidump_flash2.json_dump.sensitive, "
            "upload_file_minidump_browser.json_dump.sensitive, memory_info, "
            "user_comments, memory_report, java_stack_trace"
        ),
        doc="keys of a processed crash that are not for everyone, separated by commas; dots lead into inner objects; "
        "they apply to each additional minidump too",
    )
    required_config.update(field_options())

    def __init__(self, config: DotDict) -> None:
        keys = _keys(config.forbidden_keys)
        self._forbidden = _tree(keys)
        table = FieldTable.of(config)
        if keys == _keys(Redactor.required_config.forbidden_keys.default):
            keys = {key for key in keys if key not in table.by_name or table.by_name[key].is_protected}
        self._protection = Protection(table, keys)

    def redact(self, crash: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy without the forbidden keys.

        Only the objects that lose a key are copied. The rest, which may be megabytes, is shared with ``crash``:
        change neither.
        """
        if follows_table(crash):
            return self._protection.redact(crash)
        redacted = _without(crash, self._forbidden)
        for name, value in redacted.items():
            if is_walk(value) and _contains(value, self._forbidden):
                redacted[name] = _without(value, self._forbidden)
        return redacted


def is_walk(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return True for the value that a processed crash has for an additional minidump, whatever its name."""
    return isinstance(value, Mapping) and "json_dump" in value


def redactor_options() -> Namespace:
    """Return the options of a store that redacts: the class of its redactor, and the options of that class.

    All stores share their values, in ``resource.redactor``.
    """
    options = Namespace()
    options.add_option(
        "redactor_class",
        default=Redactor,
        doc="the class that removes from a processed crash what is not for everyone",
        from_string_converter=class_converter,
        reference_value_from="resource.redactor",
    )
    return options


def _keys(text: str) -> set[str]:
    return {key.strip() for key in text.split(",") if key.strip()}


def _tree(keys: Iterable[str]) -> _Forbidden:
    tree: _Forbidden = {}
    # Shorter keys come first: if a whole object is forbidden, its parts need no entry.
    for key in sorted(keys, key=len):
        *path, last = key.split(".")
        inner = tree
        for part in path:
            if part in inner and not inner[part]:
                break
            inner = inner.setdefault(part, {})
        else:
            inner[last] = {}
    return tree


def _without(crash: Mapping[str, Any], forbidden: _Forbidden) -> dict[str, Any]:
    copy = dict(crash)
    for key, below in forbidden.items():
        if not below:
            copy.pop(key, None)
        elif isinstance(inner := copy.get(key), Mapping) and _contains(inner, below):
            copy[key] = _without(inner, below)
    return copy


def _contains(crash: Mapping[str, Any], forbidden: _Forbidden) -> bool:
    return any(
        not below or (isinstance(crash[key], Mapping) and _contains(crash[key], below))
        for key, below in forbidden.items()
        if key in crash
    )
