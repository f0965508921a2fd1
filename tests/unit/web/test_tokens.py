"""The file of tokens: what holds them, what it says if it is damaged, and who writes it at the same time."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socorro_processor.errors import ConfigurationError
from socorro_processor.web.access.tokens import TokenFile

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def file_with(**fields: object) -> bytes:
    """Return a file with one token, some of whose fields are these."""
    token = {
        "id": "1f0c22ab",
        "hash": "0" * 64,
        "note": "ada",
        "permissions": ["public"],
        "created": "2026-12-01T00:00:00+00:00",
        "expires": None,
    }
    return json.dumps({"version": 1, "tokens": [token | fields]}).encode()


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "data" / "tokens.json")


def test_the_word_of_a_token_finds_its_holder(tokens):
    word = tokens.add("ada", {"public", "dumps"}, None)
    found = tokens.holder(word)
    assert found is not None
    assert (found.note, found.permissions) == ("ada", {"public", "dumps"})
    assert TokenFile(tokens.path).holder(word) == found


def test_the_file_holds_no_word_and_is_for_its_user_only(tokens):
    word = tokens.add("ada", {"public"}, None)
    assert word.split("_", 2)[2] not in tokens.path.read_text()
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600


def test_another_word_finds_nobody(tokens):
    word = tokens.add("ada", {"public"}, None)
    others = ["", "socorro", word[:-1], word + "x", word.upper(), word.replace("socorro_", ""), word[:-1] + "é", "\0"]
    assert [tokens.holder(other) for other in others] == [None] * len(others)
    last = "A" if word[-1] != "A" else "B"
    assert tokens.holder(word[:-1] + last) is None


def test_a_token_is_valid_until_it_expires(tokens):
    word = tokens.add("ada", {"public"}, NOW + HOUR)
    assert tokens.holder(word, NOW) is not None
    assert tokens.holder(word, NOW + HOUR) is None
    (token,) = tokens.tokens()
    assert tokens.with_id(token.token_id, NOW + HOUR) is None
    assert tokens.with_id(token.token_id, NOW) == token


def test_a_removed_token_is_not_valid_at_once_for_another_reader(tokens):
    word = tokens.add("ada", {"public"}, None)
    reader = TokenFile(tokens.path)
    holder = reader.holder(word)
    assert holder is not None
    assert tokens.remove(holder.token_id) == holder
    assert reader.holder(word) is None
    assert tokens.remove(holder.token_id) is None


def test_two_writers_lose_nothing_of_each_other(tokens):
    with ThreadPoolExecutor(8) as pool:
        words = list(pool.map(lambda n: TokenFile(tokens.path).add(f"{n}", {"public"}, None), range(40)))
    assert {token.note for token in tokens.tokens()} == {str(n) for n in range(40)}
    assert all(tokens.holder(word) for word in words)


def test_without_a_file_there_are_no_tokens(tokens):
    assert tokens.tokens() == []
    assert tokens.holder("socorro_00000000_" + "x" * 43) is None
    assert tokens.with_id("00000000") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version": 2, "tokens": []}',
        b'{"version": 1}',
        b'{"version": 1, "tokens": [7]}',
        b'{"version": 1, "tokens": [{}]}',
        b"\xff",
        b"[" * 100_000,
        file_with(permissions=["all of it"]),
        file_with(permissions="all"),
        file_with(created="2026-12-01"),
        file_with(expires="never"),
        file_with(id="1"),
        file_with(id=7),
        file_with(hash="é" * 64),
        file_with(hash=""),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it_and_is_not_written_over(tokens, content):
    tokens.path.parent.mkdir()
    tokens.path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not a file of tokens"):
        tokens.tokens()
    with pytest.raises(ConfigurationError):
        tokens.add("ada", {"public"}, None)
    assert tokens.path.read_bytes() == content


def test_a_file_that_is_whole_is_read(tokens):
    tokens.path.parent.mkdir()
    tokens.path.write_bytes(file_with(note="ada\nroot"))
    (token,) = tokens.tokens()
    assert (token.token_id, "\n" in token.note) == ("1f0c22ab", False)


def test_a_directory_in_its_place_is_an_error_that_names_it(tokens):
    tokens.path.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"tokens\.json"):
        tokens.tokens()
    with pytest.raises(ConfigurationError, match=r"tokens\.json"):
        tokens.add("ada", {"public"}, None)
