"""The production configuration: a minute of faults at random, then two versions on the same servers.

One module, and so one worker of a run: both at once would take the processors from each other.
"""

from pathlib import Path

import pytest

from tests.chaos.production import ProductionSite
from tests.chaos.rolling import RollingProduction
from tests.chaos.run import former_version, survive_a_minute, upgrade_in_the_midst

pytestmark = pytest.mark.timeout(900)


def test_a_minute_of_chaos_loses_no_crash_and_leaves_nothing_behind(tmp_path: Path):
    survive_a_minute(ProductionSite(tmp_path, {}))


def test_a_rolling_upgrade_on_the_services_of_production_loses_nothing(tmp_path: Path):
    """From the former version, as operators do it; the other way: ``make chaos FIRST=new``."""
    upgrade_in_the_midst(RollingProduction(tmp_path, "former", former_version(tmp_path / "former")))
