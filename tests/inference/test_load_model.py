"""Loading the model of a run: whole as it was trained, or one line."""

import json
import os

import keras
import numpy as np
import pytest

from shared.core.errors import UserError
from shared.inference.load_model import load_model
from shared.kernels.saved import describe_layers
from shared.runs.reader import MODEL
from tests.inference.damaged_models import (
    CONFIG,
    MODEL_FACTS,
    WEIGHTS,
    list_damages,
    pack,
    pack_list,
    read_members,
)
from tests.runs.test_runs import open_folder, row


def make_model_file(root, seed=0):
    """Write a run with the model of `list_damages`; return the model's path."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5, 2))
    states = keras.layers.GRU(3, name="gru")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="dense")(states))
    model.compile("adam", "mse", metrics=["mae"])
    folder = open_folder(root)
    folder.write_progress([row(1)], row(1))
    folder.write_model(model, epoch=1, restore=describe_layers(model))
    folder.close("finished")
    return folder.path / MODEL


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    return make_model_file(tmp_path_factory.mktemp("whole"))


def test_a_model_loads_from_its_folder_or_file_as_text_or_path(model_file):
    inputs = np.ones((4, 5, 2), "float32")
    expected = keras.saving.load_model(model_file).predict(inputs, verbose=0)
    for path in (model_file, model_file.parent):
        for form in (path, str(path)):
            found = load_model(form).predict(inputs, verbose=0)
            assert found == pytest.approx(expected, abs=1e-6)


def test_every_damaged_model_is_one_line_and_runs_nothing(model_file, tmp_path):
    mark = tmp_path / "mark"
    damages = list_damages(model_file.read_bytes(), str(mark))
    assert len(damages) > 200
    path = tmp_path / MODEL
    for name, damaged in damages.items():
        path.write_bytes(damaged)
        with pytest.raises(UserError) as error:
            load_model(path)
            pytest.fail(f"loaded: {name}")
        message = str(error.value)
        assert message.startswith(f"{path}: not the model of a run"), name
        assert "\n" not in message, name
        assert len(message) < len(str(path)) + 300, name
    assert not mark.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == [MODEL]


def test_a_repacked_model_still_loads(model_file, tmp_path):
    """The damages are refused for what they change, not for how they are packed."""
    path = tmp_path / MODEL
    path.write_bytes(pack(read_members(model_file.read_bytes())))
    assert load_model(path).count_params() == 67


@pytest.mark.parametrize("member", [CONFIG, WEIGHTS])
def test_a_part_of_another_model_is_noticed(model_file, tmp_path, member):
    """Weights of the same shapes would load, and give the numbers of another run."""
    other = read_members(make_model_file(tmp_path, seed=1).read_bytes())
    mixed = read_members(model_file.read_bytes()) | {member: other[member]}
    path = tmp_path / MODEL
    path.write_bytes(pack_list(list(mixed.items())))
    with pytest.raises(UserError, match="do not fit each other"):
        load_model(path)


def test_a_model_that_needs_more_than_its_file_holds_is_never_built(
    model_file, tmp_path, monkeypatch
):
    members = read_members(model_file.read_bytes())
    config = json.loads(members[CONFIG])
    _, gru, dense = config["config"]["layers"]
    gru["config"]["units"] = 900_000  # 3.2 TB of weights
    dense["build_config"]["input_shape"] = [None, 900_000]
    del gru["build_config"]
    path = tmp_path / MODEL
    path.write_bytes(pack(members | {CONFIG: json.dumps(config).encode()}))
    monkeypatch.setattr(keras.saving, "load_model", pytest.fail)
    with pytest.raises(UserError, match=r"2,430,.* numbers in the model"):
        load_model(path)


@pytest.mark.parametrize("name", ["", "nowhere", "a\0b", "x" * 5000, "\x1b[31m"])
def test_a_path_without_a_model_is_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        load_model(name)
    message = str(error.value)
    assert "not the model of a run" in message
    assert message.isprintable()
    assert len(message) < 500


def test_no_other_kind_of_file_is_opened(tmp_path):
    os.mkfifo(tmp_path / MODEL)  # to read it would wait for ever
    with pytest.raises(UserError, match="not a regular file"):
        load_model(tmp_path)


def test_an_old_note_without_hashes_still_loads(model_file, tmp_path):
    members = read_members(model_file.read_bytes())
    note = json.loads(members[MODEL_FACTS])
    del note["sha256"]
    members[MODEL_FACTS] = json.dumps(note).encode()
    (tmp_path / MODEL).write_bytes(pack_list(list(members.items())))
    assert load_model(tmp_path).count_params() == 67
