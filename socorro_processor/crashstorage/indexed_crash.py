"""The part of a processed crash that an index keeps: the values of all searchable fields, cut and cleaned.

Crashes come from strangers. A value of another type than its field is left out, a long text is cut, and both are
counted; nothing in a crash makes this fail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from socorro_processor.crash_id import FIRST_DAY, LAST_DAY, crash_date
from socorro_processor.crashstorage import missed_in_stack
from socorro_processor.crashstorage.keys import processed_crash_id
from socorro_processor.crashstorage.redactor import Redactor
from socorro_processor.fields.searchable import DATE, OF_PROCESSING, Kind, SearchableField
from socorro_processor.fields.values import NotOfType, converted

Value = str | int | float

BETWEEN = "\x1f"
"""Stands before, between and after the items of a list, and no item has it: so each is found as a whole."""
NAMES = "\x1e"
"""Stands between the dotted name of a leaf and its value."""

LONGEST_KEYWORD = 255
LONGEST_TEXT = 1000
LONGEST_LIST = 2000
"""Characters of a value that is kept; of a list with what stands between its items."""
LONGEST_SIGNATURE = 1000

_ROOM = 12_000
"""Characters of all texts of a crash; of texts of fields after these only the beginning is kept."""
_BEGINNING = 40
"""Characters of a text that are kept in any case."""
_MOST_ITEMS = 500
_DEEPEST = 20

_INSTALLATION = ("client_id", "install_time")
"""The fields that tell installations apart, the better one first."""
_BITS = 47
"""Bits of an installation's number: as many as SQLite keeps in six bytes."""

_OF_PROCESSING = frozenset(field.name for field in OF_PROCESSING)

_WITHOUT_CONTROLS = dict.fromkeys((0, ord(BETWEEN), ord(NAMES)))


@dataclass(frozen=True)
class IndexedCrash:
    """The values that are kept of a crash; they can be written as JSON."""

    crash_id: str
    moment: int
    """The value of ``date_processed``, in milliseconds since 1970: that of the crash, or the day of its id."""
    signature: str | None
    installation: int | None
    """A number for the installation, made from its id; None if that is not known."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """The other fields that have a value, by name."""
    left_out: tuple[str, ...] = ()
    """The fields whose values were cut or left out."""

    @property
    def day(self) -> int:
        """The day, as a number of days since 1970."""
        return self.moment // MILLISECONDS_OF_DAY


MILLISECONDS_OF_DAY = 86_400_000


class Indexer:
    """Makes the indexed crash of a processed crash. Threads may share it."""

    def __init__(self, fields: Mapping[str, SearchableField], redactor: Redactor | None = None) -> None:
        """``redactor``: what it removes is left out, except the fields that the table protects itself."""
        self._redactor = redactor
        self._names = tuple(fields)
        self._names_of_2016 = tuple(filter(None, (each.field.name_of_2016 for each in fields.values())))
        self._protected = frozenset(name for name, each in fields.items() if each.is_protected)
        self._readers: list[tuple[str, str, Callable[[Any, _Room], Value | None]]] = [
            (name, each.field.name_of_2016, partial(_READERS[each.kind], _longest(each)))
            for name, each in fields.items()
            if each.kind in _READERS and name != DATE
        ]

    def of(self, processed: Mapping[str, Any]) -> IndexedCrash:
        """Return what is kept of a crash. Raises InvalidCrashID if its ``uuid`` is not a crash id."""
        crash_id = processed_crash_id(processed)
        public = self._public(processed)
        processing = processed.get("processing")
        processing = processing if isinstance(processing, Mapping) else {}
        processing = {**processing, missed_in_stack.NAME: missed_in_stack.missed_in_stack(processed)}
        room = _Room()
        values: dict[str, Value] = {}
        left_out = []
        given = public.get("signature")
        signature = None if given is None else self._value(partial(_text, LONGEST_SIGNATURE), given, room)
        if room.taken_note():
            left_out.append("signature")
        for name, name_of_2016, read in self._readers:
            source = processing if name in _OF_PROCESSING else processed if name in self._protected else public
            given = source.get(name)
            if given is None and name_of_2016:
                given = source.get(name_of_2016)
            if given is None:
                continue
            value = self._value(read, given, room)
            if value is not None:
                values[name] = value
            if room.taken_note():
                left_out.append(name)
        moment = _moment(processed.get(DATE), room) or _moment(processed.get("submitted_timestamp"), room)
        if moment is None or not _FIRST <= moment < _END:
            moment = _milliseconds(crash_date(crash_id))
        return IndexedCrash(
            crash_id,
            moment,
            signature if isinstance(signature, str) else None,
            self._installation(processed),
            values,
            tuple(left_out),
        )

    def _public(self, processed: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a crash with what everyone may search."""
        if self._redactor is None:
            return processed
        # Redacting what a stackwalker printed would take milliseconds.
        names = (*self._names, *self._names_of_2016, "processing")
        return self._redactor.redact({name: processed[name] for name in names if name in processed})

    def _value(self, read: Callable[[Any, _Room], Value | None], given: Any, room: _Room) -> Value | None:
        try:
            return read(given, room)
        except (NotOfType, ValueError, OverflowError, RecursionError):
            # ValueError: Python writes no integer of thousands of digits as text.
            room.note()
            return None

    def _installation(self, processed: Mapping[str, Any]) -> int | None:
        for name in _INSTALLATION:
            value = processed.get(name)
            if (isinstance(value, str) and value) or (type(value) is int and abs(value) < 2**63):
                data = f"{name}={value}"[:LONGEST_TEXT].encode("utf-8", "surrogatepass")
                digest = hashlib.blake2b(data, digest_size=8).digest()
                return int.from_bytes(digest, "big") >> (64 - _BITS)
        return None


class _Room:
    """The room that is left for the texts of a crash, and whether something did not fit since one last asked."""

    def __init__(self) -> None:
        self.left = _ROOM
        self._noted = False

    def note(self) -> None:
        self._noted = True

    def taken_note(self) -> bool:
        noted, self._noted = self._noted, False
        return noted

    def take(self, text: str, longest: int) -> str | None:
        """Return as much of a text as there is room for; None if the text is empty."""
        cut = text[: min(longest, max(self.left, _BEGINNING))]
        if len(cut) < len(text):
            self._noted = True
        self.left -= len(cut)
        return cut or None


def clean_text(text: str) -> str:
    """Return a text as an index keeps it: without NUL and separators, with U+FFFD for lone surrogates."""
    text = text.translate(_WITHOUT_CONTROLS) if not text.isprintable() else text
    if not text.isascii():
        # A pair of surrogates becomes the character that it stands for.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.strip()


def cut_keyword(text: str, longest: int) -> str:
    """Return a text of a filter as far as an index keeps one of its field."""
    return clean_text(text)[:longest]


def longest_of(searchable: SearchableField) -> int:
    """Return the characters that an index keeps of a text of this field."""
    return LONGEST_SIGNATURE if searchable.kind == "signature" else _longest(searchable)


def _longest(searchable: SearchableField) -> int:
    if searchable.kind in ("items", "leaves"):
        return LONGEST_LIST
    return LONGEST_TEXT if searchable.field.search == "text" else LONGEST_KEYWORD


def _text(longest: int, value: Any, room: _Room) -> str | None:
    if not isinstance(value, str):
        value = converted(value, "string")
    if len(value) > (most := 2 * longest + 100):
        # Megabytes are not cleaned, only to be cut.
        room.note()
        value = value[:most]
    return room.take(clean_text(value), longest)


def _items(longest: int, value: Any, room: _Room) -> str | None:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple | set | frozenset):
        raise NotOfType("a list")
    return _joined((clean_text(text[:LONGEST_TEXT]) for text in _flat(value, room)), longest, room)


def _flat(items: Any, room: _Room) -> Iterator[str]:
    """Yield the texts in a list, those of lists within it, too; numbers as JSON writes them."""
    pending: list[tuple[Iterator[Any], int]] = [(iter(items), 1)]
    while pending:
        iterator, depth = pending[-1]
        item = next(iterator, pending)
        if item is pending:
            pending.pop()
        elif isinstance(item, list | tuple) and depth < _DEEPEST:
            pending.append((iter(item), depth + 1))
        elif isinstance(item, str):
            yield item
        else:
            try:
                yield converted(item, "string")
            except (NotOfType, ValueError):
                room.note()


def _leaves(longest: int, value: Any, room: _Room) -> str | None:
    if not isinstance(value, Mapping):
        raise NotOfType("an object")
    pairs = (f"{name}{NAMES}{clean_text(text[:LONGEST_TEXT])}" for name, text in _named_leaves(value, room))
    return _joined(pairs, longest, room)


def _named_leaves(value: Mapping[Any, Any], room: _Room) -> Iterator[tuple[str, str]]:
    """Yield the dotted name and the text of each leaf; the items of a list have the list's name."""
    pending: list[tuple[Iterator[tuple[Any, Any]], str, int]] = [(iter(value.items()), "", 1)]
    while pending:
        iterator, within, depth = pending[-1]
        key, item = next(iterator, (pending, None))
        if key is pending:
            pending.pop()
            continue
        name = within if key is None else f"{within}{'.' if within else ''}{clean_text(str(key)[:LONGEST_KEYWORD])}"
        if len(name) > LONGEST_TEXT or depth > _DEEPEST:
            room.note()
        elif isinstance(item, Mapping):
            pending.append((iter(item.items()), name, depth + 1))
        elif isinstance(item, list | tuple):
            pending.append((((None, each) for each in item), name, depth + 1))
        elif item is not None:
            try:
                yield name, item if isinstance(item, str) else converted(item, "string")
            except (NotOfType, ValueError):
                room.note()


def _joined(texts: Iterator[str], longest: int, room: _Room) -> str | None:
    """Return texts with BETWEEN around each; those that there is no room for are left out as a whole."""
    kept: dict[str, None] = {}
    length = 1
    for seen, text in enumerate(texts):
        if seen >= _MOST_ITEMS:
            room.note()
            break
        if not text or text in kept:
            continue
        if length + len(text) + 1 > min(longest, room.left):
            room.note()
            break
        kept[text] = None
        length += len(text) + 1
    if not kept:
        return None
    room.left -= length
    return f"{BETWEEN}{BETWEEN.join(kept)}{BETWEEN}"


def _integer(longest: int, value: Any, room: _Room) -> int:
    return int(converted(value if not isinstance(value, str) else value[:100], "integer"))


def _number(longest: int, value: Any, room: _Room) -> float:
    return float(converted(value if not isinstance(value, str) else value[:100], "number"))


def _boolean(longest: int, value: Any, room: _Room) -> int:
    return int(converted(value if not isinstance(value, str) else value[:100], "boolean"))


def _date(longest: int, value: Any, room: _Room) -> int | None:
    text = converted(value if not isinstance(value, str) else value[:100], "date")
    return _milliseconds(datetime.fromisoformat(text))


def _moment(value: Any, room: _Room) -> int | None:
    if value is None:
        return None
    try:
        return _date(0, value, room)
    except (NotOfType, ValueError, OverflowError):
        return None


def _milliseconds(moment: date) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    since = moment - _EPOCH
    return since.days * MILLISECONDS_OF_DAY + since.seconds * 1000 + since.microseconds // 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = _milliseconds(FIRST_DAY)
_END = _milliseconds(LAST_DAY) + MILLISECONDS_OF_DAY

_READERS: Mapping[Kind, Callable[[int, Any, _Room], Value | None]] = {
    "text": _text,
    "items": _items,
    "leaves": _leaves,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}
