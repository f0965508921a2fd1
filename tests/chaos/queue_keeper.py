"""The operator's process that has the embedded queue open while its files are removed: PATH.

If every other process at them is killed before any of them notices, what only these files had would be lost by the
operator, and by no process. This one tells whether that is so, and saves it only then.
"""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import quote

from socorro_processor.machine.sqlite_guard import SHM, open_guarded

LONGER_THAN_A_FREEZE = 30.0  # seconds
_LOOK_INTERVAL = 0.02  # seconds
_TABLES = ("crash", "kept", "owner")


def remove_files(path: Path, suffixes: Sequence[str], patience: float = LONGER_THAN_A_FREEZE) -> bool:
    """Remove the files beside the queue's, and wait until what they had is saved.

    Returns True if all other processes were killed, and the operator had to save it. Raises AssertionError if another
    process lives, and has not saved it after ``patience`` seconds.
    """
    index = Path(f"{path}{SHM}")
    with subprocess.Popen(
        [sys.executable, "-m", __name__, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as keeper:
        try:
            assert keeper.stdin
            assert keeper.stdout
            assert keeper.stdout.readline() == "open\n"
            inode = index.stat().st_ino
            for suffix in suffixes:
                Path(f"{path}{suffix}").unlink()
            deadline = time.monotonic() + patience
            while True:
                # In this order: one that lives still may save it after the look at the content.
                others = _holders(inode) - {keeper.pid}
                print("content", file=keeper.stdin, flush=True)
                if _content_on_disk(path) == keeper.stdout.readline().strip():
                    return False
                if not others:
                    print("save", file=keeper.stdin, flush=True)
                    answer = keeper.stdout.readline()
                    assert f"everything confirmed is in {path}: start again" in answer, answer
                    return True
                assert time.monotonic() < deadline, f"processes {others} have saved nothing"
                time.sleep(_LOOK_INTERVAL)
        finally:
            # Its end must not save anything.
            keeper.kill()


def _holders(inode: int) -> set[int]:
    """Return the processes that have a lock on a file."""
    fields = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {int(each[4]) for each in fields if each[1] == "POSIX" and each[5].endswith(f":{inode}")}


def _content_on_disk(path: Path) -> str:
    """Return what is in the database alone; empty if it is just being written."""
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return _content(connection)
    except sqlite3.Error:
        return ""


def _content(connection: sqlite3.Connection) -> str:
    digest = hashlib.sha256()
    for table in _TABLES:
        for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1"):
            digest.update(repr(row).encode())
    return digest.hexdigest()


def main(path: Path) -> None:
    connection, guard = open_guarded(
        path, LONGER_THAN_A_FREEZE, partial(sqlite3.connect, path, timeout=10.0, isolation_level=None)
    )
    print("open", flush=True)
    for line in sys.stdin:
        if line == "content\n":
            print(_content(connection), flush=True)
        else:
            print(guard.rescue(), flush=True)
            guard.leave()
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
