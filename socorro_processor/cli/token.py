"""``socorro token`` makes, lists and removes tokens, which show ``socorro serve`` who asks."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from socorro_processor.cli.command import Command, family
from socorro_processor.cli.standard_error import say
from socorro_processor.configuration import Configuration, names, read_day
from socorro_processor.layout import Row, print_table
from socorro_processor.monitoring.audit import AuditLog
from socorro_processor.monitoring.log import set_up_logging
from socorro_processor.untrusted import plain
from socorro_processor.web.access.tokens import LONGEST_NOTE, Token, TokenFile
from socorro_processor.web.permissions import PERMISSIONS, Permission, in_order, read_permissions

_COLUMN_SHARES = (0.0, 0.3, 0.3, 0.0, 0.0)
_SECTIONS = ("web", "logging")


def _permissions(text: str) -> frozenset[Permission]:
    try:
        found = read_permissions(names(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not found:
        raise argparse.ArgumentTypeError("a token needs at least one permission")
    return found


def _note(text: str) -> str:
    if not text.strip() or plain(text) != text or len(text) > LONGEST_NOTE:
        raise argparse.ArgumentTypeError(f"it must be one line of 1 to {LONGEST_NOTE} characters")
    return text.strip()


def _days(text: str) -> timedelta:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 36_500):
        raise argparse.ArgumentTypeError("it must be a number of days, from 1 to 36500")
    return timedelta(days=int(text))


def _add_add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("note", metavar="NAME", type=_note, help="its holder, such as 'ada' or 'build machine'")
    parser.add_argument(
        "--may",
        metavar="PERMISSIONS",
        type=_permissions,
        required=True,
        help="separated by commas; "
        + "; ".join(f"{name}: {words}" for name, words in PERMISSIONS.items())
        + "; all: each of them",
    )
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--days", metavar="N", type=_days, help="days for which it is valid; by default, without end")
    end.add_argument("--until", metavar="DATE", type=read_day, help="its last day (UTC)")


def _add(arguments: argparse.Namespace, configuration: Configuration) -> int:
    expires = None
    if arguments.until is not None:
        expires = datetime.combine(arguments.until, time.min, UTC) + timedelta(days=1)
    elif arguments.days is not None:
        expires = datetime.now(UTC).replace(microsecond=0) + arguments.days
    tokens = _file(configuration)
    with _audit(configuration) as audit:
        word = tokens.add(arguments.note, arguments.may, expires)
        token_id = word.split("_")[1]
        audit.write(
            f"token {token_id} was made", {"for": arguments.note, "permissions": ",".join(in_order(arguments.may))}
        )
    print(word)
    return 0


def _add_list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")


def _list(arguments: argparse.Namespace, configuration: Configuration) -> int:
    tokens = _file(configuration)
    now = datetime.now(UTC)
    held = tokens.tokens()
    if arguments.json:
        print(json.dumps([_as_json(token, now) for token in held]))
    elif not held:
        print(f"no token in {tokens.path}")
    else:
        rows: list[Row] = [
            [
                (token.token_id, ""),
                (plain(token.note), ""),
                (", ".join(in_order(token.permissions)), ""),
                (token.created.date().isoformat(), ""),
                (_end(token, now), ""),
            ]
            for token in held
        ]
        print_table(("id", "for", "permissions", "made", "expires"), rows, _COLUMN_SHARES)
    return 0


def _as_json(token: Token, now: datetime) -> dict[str, Any]:
    return {
        "id": token.token_id,
        "note": token.note,
        "permissions": in_order(token.permissions),
        "created": token.created.isoformat(),
        "expires": token.expires and token.expires.isoformat(),
        "valid": token.is_valid(now),
    }


def _end(token: Token, now: datetime) -> str:
    if token.expires is None:
        return "never"
    return token.expires.isoformat(timespec="minutes") + ("" if token.is_valid(now) else ", has expired")


def _add_remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("token_ids", metavar="ID", nargs="+", help="the id of a token, as `socorro token list` has it")


def _remove(arguments: argparse.Namespace, configuration: Configuration) -> int:
    tokens = _file(configuration)
    missing = False
    with _audit(configuration) as audit:
        for token_id in arguments.token_ids:
            token = tokens.remove(token_id)
            if token is None:
                say(f"there is no token {token_id}")
                missing = True
            else:
                audit.write(f"token {token_id} was removed", {"for": token.note})
                print(f"{token_id} removed, of {plain(token.note)}")
    return 1 if missing else 0


def _file(configuration: Configuration) -> TokenFile:
    return TokenFile(Path(configuration.values.web.token_file))


def _audit(configuration: Configuration) -> closing[AuditLog]:
    set_up_logging(configuration.values.logging)
    return closing(AuditLog(configuration.values.logging))


_ADD = Command(
    name="token add",
    summary="Make a token, and print it: it is kept nowhere, and cannot be printed again.",
    description=(
        "A person signs in with it at /sign-in; a program sends it in the header Authorization: Bearer TOKEN. A server "
        "that runs takes it at once. While there is no token, and nothing else says who may what, everything is open "
        "to this machine."
    ),
    exit_codes={1: "the audit file cannot be written"},
    example="socorro token add ada --may public,protected,actions --days 365\nsocorro token add ci --may uploads",
    run=_add,
    add_arguments=_add_add_arguments,
    sections=_SECTIONS,
)

_LIST = Command(
    name="token list",
    summary="List the tokens: their ids, for whom they are, and what these may.",
    exit_codes={},
    example="socorro token list --json",
    run=_list,
    add_arguments=_add_list_arguments,
    sections=("web",),
)

_REMOVE = Command(
    name="token remove",
    summary="Remove tokens: they, and the browsers that are signed in with them, may nothing any more.",
    exit_codes={1: "there is no such token, or the audit file cannot be written"},
    example="socorro token remove 1f0c22ab",
    run=_remove,
    add_arguments=_add_remove_arguments,
    sections=_SECTIONS,
)

COMMAND = family(
    name="token",
    summary="Make, list and remove tokens, by which people and programs show the server who they are.",
    example="socorro token add ada --may all",
    subcommands={"add": _ADD, "list": _LIST, "remove": _REMOVE},
)
