"""`make predict` with generated runs, and which recipes forecast at all."""

import fnmatch
import json
import shutil

import numpy as np
import pytest

from shared.core.backend import import_keras
from shared.core.errors import UserError
from shared.core.recipes import list_recipes
from shared.data.generated.sine import predict_bayes
from shared.inference.load_model import load_model
from shared.inference.parts import restore_part
from shared.inference.predictors import FAMILIES, SineConfig, find_predictor
from shared.runs.reader import read_predictions, read_run
from tests.inference.forecasts import (
    column,
    copy_run,
    forecast,
    make_table,
    refuse,
    save,
)

pytestmark = pytest.mark.xdist_group("inference")


def rename(run, folder, recipe):
    """Return a copy of a run that says it is of another recipe."""
    path = folder / recipe
    shutil.copytree(run.path, path)
    for name in ("config.json", "summary.json"):
        content = json.loads((path / name).read_text())
        (path / name).write_text(json.dumps(content | {"recipe": recipe}))
    return read_run(path)


def test_a_sine_goes_on_after_its_test_series(sine, tmp_path, capsys):
    """Samples 160 to 219 are the test part; the network predicts three ahead."""
    import_keras()
    rows = forecast(sine, tmp_path)
    assert [row["sample"] for row in rows] == ["220", "221", "222"]
    assert "the generated test series (samples 160 to 219)" in capsys.readouterr().out
    config = restore_part(sine, SineConfig)
    random = np.random.default_rng([sine.seed, 0x51E])
    series = np.sin(config.rate * np.arange(300)) + random.normal(0, config.noise, 300)
    windows = np.stack([series[k - 7 : k - 2] for k in (220, 221, 222)])
    expected = np.asarray(load_model(sine.path)(windows[:, :, None]))[:, 0]
    assert column(rows, "forecast") == pytest.approx(expected, abs=1e-5)
    best = predict_bayes(config, windows)
    assert column(rows, "best possible") == pytest.approx(best, abs=1e-5)
    stored = read_predictions(sine)
    errors = np.sort(np.abs(stored["predictions"] - stored["targets"]))
    half = errors[int(np.ceil((len(errors) + 1) * 0.8)) - 1]
    assert column(rows, "lower_80") == pytest.approx(expected - half, abs=1e-5)
    assert (tmp_path / "forecast" / "forecast.png").stat().st_size > 5_000


def test_a_sine_with_a_random_phase_goes_on_after_its_last_window(
    random_sine, tmp_path
):
    import_keras()
    rows = forecast(random_sine, tmp_path)
    # five samples are read, and the target is three later: eight come before
    assert [row["sample"] for row in rows] == ["8", "9", "10"]
    config = restore_part(random_sine, SineConfig)
    random = np.random.default_rng([random_sine.seed, 0x51E])
    phases = random.uniform(0, 2 * np.pi, (300, 1))
    samples = np.sin(phases + config.rate * np.arange(8))
    samples += random.normal(0, config.noise, samples.shape)
    windows = np.stack([samples[219, k : k + 5] for k in (1, 2, 3)])
    expected = np.asarray(load_model(random_sine.path)(windows[:, :, None]))[:, 0]
    assert column(rows, "forecast") == pytest.approx(expected, abs=1e-5)


def test_a_sine_reads_no_file(sine, tmp_path, capsys):
    line = refuse(capsys, sine, tmp_path, *save(make_table(), tmp_path))
    assert "sine-gru forecasts its generated series; omit the flag" in line
    line = refuse(capsys, sine, tmp_path, "--encoding", "cp1252")
    assert "--encoding: sine-gru does not take it; omit the flag" in line


def test_a_sine_that_cannot_be_generated_again_is_one_line(sine, tmp_path, capsys):
    run = copy_run(
        sine, tmp_path, predictions=lambda arrays: {"targets": arrays["targets"] + 1}
    )
    assert "cannot be generated again" in refuse(capsys, run, tmp_path)


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        ("sum-gru", "predicts the sum of a window of random numbers"),
        ("memory-lstm", "predicts what is to be remembered from a random sequence"),
        ("vowel-gru", "predicts the next vowel of a text (make generate"),
    ],
)
def test_a_recipe_that_predicts_no_later_value_says_what_it_does(
    sine, tmp_path, capsys, recipe, what
):
    line = refuse(capsys, rename(sine, tmp_path, recipe), tmp_path)
    assert what in line
    assert (
        "works with runs of series-*, weather-*, sine-*, scratch-gru, text-* and imdb"
        in (line)
    )


def test_a_run_of_a_removed_recipe_is_one_line(sine, tmp_path, capsys):
    line = refuse(capsys, rename(sine, tmp_path, "cosine-gru"), tmp_path)
    assert "the recipe cosine-gru no longer exists" in line


def test_the_families_that_are_named_are_those_that_forecast(sine, tmp_path):
    recipes = list_recipes()
    assert len(recipes) > 20
    for recipe in recipes:
        named = any(fnmatch.fnmatch(recipe, family) for family in FAMILIES)
        run = rename(sine, tmp_path, recipe)
        if named:
            assert find_predictor(run)
        else:
            with pytest.raises(UserError, match=f"{recipe} predicts "):
                find_predictor(run)
