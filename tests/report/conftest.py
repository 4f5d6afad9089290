"""A browser for the tests of the report page."""

import pytest

from tests.report.chromium import find_chromium, start_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    path = find_chromium()
    if path is None:
        pytest.skip("needs a Chromium (on Debian: apt install chromium)")
    with start_chromium(path, tmp_path_factory.mktemp("profile")) as browser:
        yield browser
