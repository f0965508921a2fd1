"""Processors of the former version and of this one on the same servers."""

from pathlib import Path

import pytest

from tests.chaos.rolling import VERSIONS, RollingProduction, Version
from tests.chaos.run import former_version, upgrade_in_the_midst


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", VERSIONS)
def test_a_rolling_upgrade_on_the_services_of_production_loses_nothing(first: Version, tmp_path: Path):
    upgrade_in_the_midst(RollingProduction(tmp_path, first, former_version(tmp_path / "former")))
