"""The package at an earlier commit, from this repository's history."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.shared import REPOSITORY

BEFORE_HEADERS_AND_ALIASES = "0fea346db1702352d97d64cdc5238bee10a5f7a1"
"""The last commit whose deliveries have no history, and that writes to Elasticsearch without aliases."""

BEFORE_TODAY_S_FIELDS = "939475e210c01dad5d03ca82ae4828f2deb256c2"
"""The last commit whose stores know only the fields of 2015."""

_ARCHIVED = ("socorro_processor", "siglists", "config")


class HistoryMissing(Exception):
    """This copy of the project has no such commit."""


_CONFIGURATION = "SOCORRO__ADMIN__CONF"

_UNKNOWN = ("__VERIFY_WALKS", "__MAKE_INDEXES")
"""Ends of the variables of options that the former version lacks."""


class FormerVersion:
    """The package of a commit, in a directory. Raises HistoryMissing."""

    def __init__(
        self, directory: Path, commit: str = BEFORE_HEADERS_AND_ALIASES, repository: Path = REPOSITORY
    ) -> None:
        self._directory = directory
        archive = _archive(repository, commit)
        directory.mkdir(parents=True)
        subprocess.run(["tar", "-x", "-C", str(directory)], input=archive, check=True)

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which this Python and its children run the former version.

        A configuration of the project is that of the former version: today's names a class that it lacks.
        """
        known = {name: value for name, value in environment.items() if not name.endswith(_UNKNOWN)}
        ini = Path(known.get(_CONFIGURATION, ""))
        if ini.is_relative_to(REPOSITORY):
            known[_CONFIGURATION] = str(self._directory / ini.relative_to(REPOSITORY))
        # It precedes the installed package, editable or not.
        former = {**known, "PYTHONPATH": str(self._directory)}
        printed = subprocess.run(
            [sys.executable, "-c", "import socorro_processor.cli.main as main; print(main.__file__)"],
            cwd=self._directory,
            env={**os.environ, **former},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert Path(printed.strip()).is_relative_to(self._directory), f"not the former version: {printed}"
        return former


def _archive(repository: Path, commit: str) -> bytes:
    command = ["git", "-C", str(repository), "archive", "--format=tar", commit, *_ARCHIVED]
    try:
        return subprocess.run(command, check=True, capture_output=True).stdout
    except FileNotFoundError as error:
        reason = str(error)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip()
    raise HistoryMissing(
        f"the former version is not in the history of {repository}: no commit {commit[:12]} (no clone, or a shallow "
        f"one): {reason}"
    )
