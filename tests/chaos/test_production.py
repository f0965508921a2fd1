"""A minute of faults at random in the production configuration; a module of its own runs beside others."""

from pathlib import Path

import pytest

from tests.chaos.production import ProductionSite
from tests.chaos.run import survive_a_minute


@pytest.mark.timeout(600)
def test_a_minute_of_chaos_loses_no_crash_and_leaves_nothing_behind(tmp_path: Path):
    survive_a_minute(ProductionSite(tmp_path, {}))
