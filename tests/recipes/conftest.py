"""Runs and data that the tests of recipes share. Tests only read them."""

import dataclasses

import pytest

from recipes import imdb_gru
from shared.data.imdb.reviews import load_reviews
from tests.data.test_weather import FILE, make_rows, write
from tests.helpers import make_reviews, write_npz
from tests.recipes.training_runs import SharedRuns


@pytest.fixture(scope="session")
def shared_runs(tmp_path_factory):
    return SharedRuns(tmp_path_factory.mktemp("shared-runs"))


@pytest.fixture(scope="session")
def reviews_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviews")
    write_npz(folder / "imdb.npz", make_reviews(100))
    return folder


@pytest.fixture(scope="session")
def small_reviews(reviews_folder):
    """Reviews of 7 words from a vocabulary of 31."""
    config = imdb_gru.Config().reviews
    sizes = {"length": 7, "vocabulary": 31, "data_dir": reviews_folder}
    return load_reviews(dataclasses.replace(config, **sizes), seed=0)


@pytest.fixture(scope="session")
def long_weather_folder(tmp_path_factory):
    """A folder with enough weather for a window of eleven days in each part."""
    folder = tmp_path_factory.mktemp("long-weather")
    write(folder / FILE, make_rows(6_800))
    return folder
