import pytest

from tests.services import end_what_was_started


def pytest_sessionfinish(session: pytest.Session) -> None:
    end_what_was_started()
