"""One SQLite queue and one directory of crashes: a minute of faults at random, then processors of two versions."""

from pathlib import Path

import pytest

from tests.chaos.embedded import EmbeddedSite
from tests.chaos.rolling import VERSIONS, RollingEmbedded, Version
from tests.chaos.run import former_version, survive_a_minute, upgrade_in_the_midst

pytestmark = pytest.mark.timeout(900)


def test_a_minute_of_chaos_loses_no_crash_and_leaves_nothing_behind(tmp_path: Path):
    survive_a_minute(EmbeddedSite(tmp_path, {}))


@pytest.mark.parametrize("first", VERSIONS)
def test_a_rolling_upgrade_of_the_embedded_queue_and_store_loses_nothing(first: Version, tmp_path: Path):
    upgrade_in_the_midst(RollingEmbedded(tmp_path, first, former_version(tmp_path / "former")))
