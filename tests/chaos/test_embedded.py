"""A minute of faults at random in the embedded configuration; a module of its own runs beside others."""

from pathlib import Path

import pytest

from tests.chaos.embedded import EmbeddedSite
from tests.chaos.run import survive_a_minute


@pytest.mark.timeout(600)
def test_a_minute_of_chaos_loses_no_crash_and_leaves_nothing_behind(tmp_path: Path):
    survive_a_minute(EmbeddedSite(tmp_path, {}))
