"""Processors of the former version and of this one on the same servers."""

from pathlib import Path

import pytest

from tests.chaos.rolling import RollingProduction
from tests.chaos.run import former_version, upgrade_in_the_midst


@pytest.mark.timeout(600)
def test_a_rolling_upgrade_on_the_services_of_production_loses_nothing(tmp_path: Path):
    """From the former version, as operators do it; the other way: ``make chaos FIRST=new``."""
    upgrade_in_the_midst(RollingProduction(tmp_path, "former", former_version(tmp_path / "former")))
