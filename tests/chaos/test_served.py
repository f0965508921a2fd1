"""Crashes that come through the front door: every answer is a promise, whatever happens to the server."""

from pathlib import Path

import pytest

from socorro_processor.retention.bounds import Bounds
from tests.chaos.served import ServedSite
from tests.system.daemon import configuration

pytestmark = pytest.mark.timeout(300)


def test_no_bound_removes_a_crash_of_a_run_however_small_a_full_disk_is(tmp_path: Path):
    with ServedSite(tmp_path, {}) as site:
        bounds = Bounds.of(configuration(site.installation.environment).values.retention, site.crashes)

    assert (bounds.size, bounds.dumps, bounds.products) == (0, 0, {})
