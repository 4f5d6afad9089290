"""A browser for the tests of the report page."""

from pathlib import Path

import pytest

from tests.report.chromium import find_chromium, start_chromium

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list) -> None:
    """Let the tests with a browser share one, in one process."""
    for item in items:
        if item.path.parent == HERE and "browser" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("report browser"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    path = find_chromium()
    if path is None:
        pytest.skip("needs a Chromium (on Debian: apt install chromium)")
    with start_chromium(path, tmp_path_factory.mktemp("profile")) as browser:
        yield browser
