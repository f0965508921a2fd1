"""``socorro token``: makes, lists and removes tokens; says who did so."""

import json
from pathlib import Path

import pytest

from socorro_processor.cli.main import main
from socorro_processor.web.access.tokens import TokenFile


@pytest.fixture
def socorro(tmp_path: Path, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        options = [f"--web.token_file={tmp_path}/tokens.json", f"--logging.audit_file={tmp_path}/audit"]
        try:
            code = main(["token", *arguments, *options], environ={})
        except SystemExit as error:
            code = error.code
        return code, *capsys.readouterr()

    return run


def test_a_token_is_printed_once_and_listed_without_its_secret(socorro, tmp_path):
    code, word, _ = socorro("add", "ada", "--may=public,dumps", "--days=30")
    assert code == 0
    token = TokenFile(tmp_path / "tokens.json").holder(word.strip())
    assert token is not None
    assert (token.note, token.permissions) == ("ada", {"public", "dumps"})
    assert token.expires is not None
    assert round((token.expires - token.created).total_seconds() / 86400) == 30

    code, listed, _ = socorro("list")
    assert code == 0
    assert token.token_id in listed
    assert "public, dumps" in listed
    assert word.strip()[-43:] not in listed + (tmp_path / "audit").read_text()

    _, printed, _ = socorro("list", "--json")
    assert json.loads(printed)[0] | {"created": "", "expires": ""} == {
        "id": token.token_id,
        "note": "ada",
        "permissions": ["public", "dumps"],
        "created": "",
        "expires": "",
        "valid": True,
    }


def test_a_removed_token_is_gone_and_the_audit_file_says_who_made_and_removed_it(socorro, tmp_path):
    _, word, _ = socorro("add", "build machine", "--may=uploads")
    token_id = word.split("_")[1]
    assert socorro("remove", token_id)[:2] == (0, f"{token_id} removed, of build machine\n")
    assert socorro("remove", token_id) == (1, "", f"socorro: there is no token {token_id}\n")
    made, removed = (tmp_path / "audit").read_text().splitlines()
    assert f"token {token_id} was made by=" in made
    assert 'for="build machine" permissions=uploads' in made
    assert f"token {token_id} was removed by=" in removed


def test_without_tokens_the_list_says_so(socorro, tmp_path):
    assert socorro("list")[:2] == (0, f"no token in {tmp_path}/tokens.json\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ada"], "--may"),
        (["ada", "--may=everything"], "is not a permission: they are public, protected, dumps, actions, uploads"),
        (["ada", "--may="], "at least one permission"),
        (["", "--may=all"], "one line"),
        (["a\nb", "--may=all"], "one line"),
        (["a" * 201, "--may=all"], "one line"),
        (["ada", "--may=all", "--days=0"], "from 1 to 36500"),
        (["ada", "--may=all", "--days=-1"], "from 1 to 36500"),
        (["ada", "--may=all", "--until=tomorrow"], "--until"),
        (["ada", "--may=all", "--until=2027-01-01", "--days=1"], "not allowed with"),
    ],
)
def test_what_makes_no_token_is_said(socorro, tmp_path, arguments, words):
    code, out, err = socorro("add", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert not (tmp_path / "tokens.json").exists()


def test_the_last_day_of_a_token_counts(socorro, tmp_path):
    socorro("add", "ada", "--may=all", "--until=2099-12-31")
    (token,) = TokenFile(tmp_path / "tokens.json").tokens()
    assert token.expires is not None
    assert token.expires.isoformat() == "2100-01-01T00:00:00+00:00"
