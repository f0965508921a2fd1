"""Processors of the former version and of this one on one SQLite queue and one directory of crashes."""

from pathlib import Path

import pytest

from tests.chaos.rolling import VERSIONS, RollingEmbedded, Version
from tests.chaos.run import former_version, upgrade_in_the_midst


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", VERSIONS)
def test_a_rolling_upgrade_of_the_embedded_queue_and_store_loses_nothing(first: Version, tmp_path: Path):
    upgrade_in_the_midst(RollingEmbedded(tmp_path, first, former_version(tmp_path / "former")))
