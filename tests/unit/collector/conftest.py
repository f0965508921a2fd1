"""A collector with an embedded store and queue, and uploads for it."""

from __future__ import annotations

import pytest

from tests.collector_site import Site


@pytest.fixture
def site(tmp_path):
    with Site(tmp_path) as site:
        yield site
