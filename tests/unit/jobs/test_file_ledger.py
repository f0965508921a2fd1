"""Failures that only a ledger in files can have."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from socorro_processor.jobs.ledger import FileLedger, LedgerError
from tests.before_the_lock import do_before_the_lock


def test_a_lock_file_that_another_process_makes_again_belongs_to_that_process(tmp_path, monkeypatch):
    """Tidying up the directory lets no job run twice at once."""
    ledger = FileLedger(tmp_path)
    with ExitStack() as other:

        def removed() -> None:
            (tmp_path / "retention.lock").unlink()
            assert other.enter_context(FileLedger(tmp_path).locked("retention"))

        do_before_the_lock(monkeypatch, removed)
        with ledger.locked("retention") as is_mine:
            assert not is_mine


def test_a_directory_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path):
    (tmp_path / "jobs").touch()
    with pytest.raises(LedgerError, match=r"cannot lock .*/jobs: File exists \(see cron\.directory\)"):
        FileLedger(tmp_path / "jobs").locked("retention").__enter__()
