"""Test suites for your own rule, store, queue or provider of reference data.

    from socorro_processor.testing import RuleSuite

    class TestAlbumRule(RuleSuite):
        rule_class = AlbumRule
        annotations = {"Album": "Holidays"}

A suite is a class. Your class, in a test file for pytest, inherits from it and names the class to test; the
docstring of each suite says what a subclass must define, and what it checks. The project's own rules, stores and queues
pass the same suites. pytest is not installed with the package: ``pip install 'socorro-processor[testing]'`` installs
it. Nothing else in the package imports this one.
"""

import pytest

# Before the imports, so that a failing assert shows the values that it compared.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in ("no_loss", "queue_model", "queues", "reference", "rules", "searches", "stores")
    )
)

from socorro_processor.testing.no_loss import NoLossSuite  # noqa: E402
from socorro_processor.testing.queues import QueueSuite  # noqa: E402
from socorro_processor.testing.reference import ReferenceSuite  # noqa: E402
from socorro_processor.testing.rules import RuleSuite  # noqa: E402
from socorro_processor.testing.searches import SearchSuite  # noqa: E402
from socorro_processor.testing.stores import (  # noqa: E402
    LIMITS,
    JSONStoreSuite,
    ObjectStoreSuite,
    SavingSuite,
    StoreSuite,
)

__all__ = [
    "LIMITS",
    "JSONStoreSuite",
    "NoLossSuite",
    "ObjectStoreSuite",
    "QueueSuite",
    "ReferenceSuite",
    "RuleSuite",
    "SavingSuite",
    "SearchSuite",
    "StoreSuite",
]
