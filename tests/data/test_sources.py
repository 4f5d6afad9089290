"""Where data files are searched. A folder that the user names is used, or an error."""

import dataclasses
import os

import pytest

from shared.core.errors import UserError
from shared.data.imdb.reviews import find_reviews
from shared.data.sources import find_source
from shared.data.weather.dataset import load_weather
from tests.data.test_reviews import CONFIG as REVIEWS
from tests.data.test_weather import CONFIG as WEATHER
from tests.helpers import make_reviews, write_npz

LOADERS = {
    "imdb.npz": lambda **flags: find_reviews(REVIEWS(**flags)),
    "weather_jena_2020.csv": lambda **flags: load_weather(
        dataclasses.replace(WEATHER, **flags)
    ),
}


def refuse(load, **flags):
    with pytest.raises(UserError) as caught:
        load(**flags)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("fault", ["none", "empty", "folder", "pipe", "link", "a file"])
@pytest.mark.parametrize("flag", ["--data-dir", "RNN_RECIPES_DATA"])
def test_a_named_place_without_the_file_is_an_error(
    name, fault, flag, tmp_path, monkeypatch, no_network
):
    folder = tmp_path / "data"
    if fault == "a file":
        folder.write_text("")
    elif fault != "none":
        folder.mkdir()
    if fault == "folder":
        (folder / name).mkdir()
    if fault == "pipe":
        os.mkfifo(folder / name)
    if fault == "link":
        (folder / name).symlink_to(tmp_path / "nowhere")
    flags = {}
    if flag == "--data-dir":
        flags["data_dir"] = folder
    else:
        monkeypatch.setenv(flag, str(folder))
    message = refuse(LOADERS[name], **flags)
    assert message.startswith(f"{flag} {folder}: ")
    assert name in message
    assert list(tmp_path.iterdir()) == ([folder] if fault != "none" else [])


@pytest.mark.parametrize("name", LOADERS)
def test_the_sample_and_a_folder_contradict(name, tmp_path, no_network, monkeypatch):
    message = refuse(LOADERS[name], data="sample", data_dir=tmp_path)
    assert "omit one of the two flags" in message
    monkeypatch.setenv("RNN_RECIPES_DATA", str(tmp_path))  # a default for all runs
    LOADERS[name](data="sample")


def test_other_places_do_not_replace_the_named_one(tmp_path, no_network):
    write_npz(tmp_path / "keras" / "datasets" / "imdb.npz", make_reviews())
    (tmp_path / "data").mkdir()
    refuse(LOADERS["imdb.npz"], data_dir=tmp_path / "data")
    assert LOADERS["imdb.npz"]().name == "imdb"


@pytest.mark.skipif(
    not getattr(os, "geteuid", int)(), reason="root may read every folder"
)
def test_a_folder_that_cannot_be_searched_is_an_error(tmp_path, no_network):
    folder = tmp_path / "data"
    folder.mkdir(0)
    assert "Permission denied" in refuse(LOADERS["imdb.npz"], data_dir=folder)


@pytest.mark.parametrize("folder", ["~nobody-of-this-name/x", "x" * 5000])
def test_a_name_that_can_be_no_folder_is_an_error(folder, no_network, tmp_path):
    message = refuse(LOADERS["imdb.npz"], data_dir=tmp_path.__class__(folder))
    assert len(message) < 500


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_the_keras_cache_is_left_out_if_another_thing_has_the_name(
    kind, tmp_path, no_network
):
    place = tmp_path / "keras" / "datasets" / "imdb.npz"
    place.parent.mkdir(parents=True)
    place.mkdir() if kind == "folder" else os.mkfifo(place)
    found, missed = find_source(
        ["imdb.npz"], None, "https://example.com/imdb.npz", None
    )
    assert found is None
    assert "not a regular file" in missed[0]


def test_a_user_without_a_home_gets_no_keras_cache(monkeypatch, no_network):
    monkeypatch.setenv("KERAS_HOME", "~nobody-of-this-name")
    found, missed = find_source(
        ["imdb.npz"], None, "https://example.com/imdb.npz", None
    )
    assert found is None
    assert "Keras cache cannot be used" in missed[0]
