"""Tokens: words by which people and programs show who they are. The file has only their hashes.

    tokens = TokenFile(Path("socorro-data/tokens.json"))
    word = tokens.add("build machine", {"uploads"}, expires=None)
    tokens.holder(word, now).note

A word is ``socorro_ID_SECRET``: its secret has 256 bits, so that a plain hash of it cannot be turned back.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socorro_processor.errors import ConfigurationError
from socorro_processor.machine.locks import FileLock
from socorro_processor.machine.regular_file import read_regular_file, replacing
from socorro_processor.untrusted import plain
from socorro_processor.web.permissions import Permission, in_order, read_permissions

PREFIX = "socorro"
LONGEST_NOTE = 200  # characters
_WORD = re.compile(rf"{PREFIX}_([0-9a-f]{{8}})_[A-Za-z0-9_-]{{43}}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAXIMUM_SIZE = 4 << 20  # bytes
_VERSION = 1


@dataclass(frozen=True)
class Token:
    token_id: str
    hash: str
    """SHA-256 of the whole word, in hexadecimal."""
    note: str
    """A line about its holder, for people; it stands in the audit log."""
    permissions: frozenset[Permission]
    created: datetime
    expires: datetime | None

    def is_valid(self, now: datetime) -> bool:
        return self.expires is None or now < self.expires


class TokenFile:
    """The tokens of a server. Threads may share it; a change of the file is seen at the next call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read_at: tuple[int, ...] | None = None
        self._tokens: dict[str, Token] = {}

    def tokens(self) -> list[Token]:
        """Return all tokens, also those that have expired; none without a file. Raises ConfigurationError."""
        return list(self._current().values())

    def holder(self, word: str, now: datetime | None = None) -> Token | None:
        """Return the valid token with this word, or None. Raises ConfigurationError."""
        match = _WORD.fullmatch(word)
        token = self._current().get(match[1]) if match else None
        if token is None or not hmac.compare_digest(token.hash, _hash(word)):
            return None
        return token if token.is_valid(now or datetime.now(UTC)) else None

    def with_id(self, token_id: str, now: datetime | None = None) -> Token | None:
        """Return the valid token with this id, or None: for a session that began with its word."""
        token = self._current().get(token_id)
        return token if token is not None and token.is_valid(now or datetime.now(UTC)) else None

    def add(self, note: str, permissions: Collection[Permission], expires: datetime | None) -> str:
        """Make a token, and return its word, which is kept nowhere. Raises ConfigurationError."""
        now = datetime.now(UTC).replace(microsecond=0)
        with self._changing() as tokens:
            token_id = _new_id(tokens)
            word = f"{PREFIX}_{token_id}_{secrets.token_urlsafe(32)}"
            tokens[token_id] = Token(token_id, _hash(word), note, frozenset(permissions), now, expires)
            self._write(tokens)
        return word

    def remove(self, token_id: str) -> Token | None:
        """Remove a token, and return it; None if there is no such token. Raises ConfigurationError."""
        with self._changing() as tokens:
            token = tokens.pop(token_id, None)
            if token is not None:
                self._write(tokens)
        return token

    def _changing(self) -> _Changing:
        return _Changing(self.path)

    def _write(self, tokens: dict[str, Token]) -> None:
        content = {"version": _VERSION, "tokens": [_as_json(each) for each in tokens.values()]}
        try:
            with replacing(self.path, 0o600) as file:
                file.write(json.dumps(content, indent=1).encode() + b"\n")
        except OSError as error:
            raise ConfigurationError(f"cannot write {self.path}: {error.strerror}") from error

    def _current(self) -> dict[str, Token]:
        with self._lock:
            try:
                stat = self.path.stat()
                read_at: tuple[int, ...] = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            except FileNotFoundError:
                read_at = ()
            except OSError as error:
                raise ConfigurationError(f"cannot read {self.path}: {error.strerror}") from error
            if read_at != self._read_at:
                self._tokens = _read(self.path)
                self._read_at = read_at
            return self._tokens


class _Changing:
    """Holds the lock for a change, and gives the tokens as they are then."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> dict[str, Token]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self._path.with_name(f"{self._path.name}.lock"), wait=True)
        except OSError as error:
            raise ConfigurationError(f"cannot write {self._path}: {error.strerror}") from error
        try:
            return _read(self._path)
        except BaseException:
            self._lock.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.close()


def _read(path: Path) -> dict[str, Token]:
    try:
        content = json.loads(read_regular_file(path, _MAXIMUM_SIZE))
        if content["version"] != _VERSION:
            raise ValueError(f"its version is {content['version']!r}, and not {_VERSION}")
        tokens = [_from_json(each) for each in content["tokens"]]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not a file of tokens: {plain(str(error))}") from error
    return {each.token_id: each for each in tokens}


def _as_json(token: Token) -> dict[str, Any]:
    return {
        "id": token.token_id,
        "hash": token.hash,
        "note": token.note,
        "permissions": in_order(token.permissions),
        "created": token.created.isoformat(),
        "expires": token.expires and token.expires.isoformat(),
    }


def _from_json(fields: dict[str, Any]) -> Token:
    expires = fields["expires"]
    return Token(
        _matching(_ID, fields["id"]),
        _matching(_HASH, fields["hash"]),
        plain(str(fields["note"])[:LONGEST_NOTE]),
        read_permissions(fields["permissions"]),
        _time(fields["created"]),
        None if expires is None else _time(expires),
    )


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"{text[:20]!r} is not {pattern.pattern}")
    return text


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"the time {text!r} has no offset from UTC")
    return time


def _new_id(tokens: Collection[str]) -> str:
    while (token_id := secrets.token_hex(4)) in tokens:
        pass
    return token_id


def _hash(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()
