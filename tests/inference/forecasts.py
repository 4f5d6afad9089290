"""What the tests of `make predict` share: tables, runs, and changed copies of runs."""

import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from shared.commands.recipe import main as train
from shared.inference.predict import main as predict
from shared.runs.reader import find_runs, read_run
from tests.recipes.training_runs import load

SMALL = ["--horizon", "3", "--lookback", "6", "--season", "4", "--epochs", "1",
         "--calendar", "none"]  # fmt: skip


def make_table(rows=150, seed=0, freq="D", start="2023-01-02"):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "day": pd.date_range(start, periods=rows, freq=freq),
            "sales": random.normal(50, 9, rows).round(3),
            "visits": random.normal(500, 80, rows).round(3),
            "holiday": (np.arange(rows) % 11 == 0).astype(int),
        }
    )


def make_run(folder, table, *flags):
    """Train on a table, `shop.csv`."""
    table.to_csv(folder / "shop.csv", index=False)
    module = load("series_linear")
    places = ["--file", str(folder / "shop.csv"), "--results-dir", str(folder / "runs")]
    train(module.Config, module.run, [*SMALL, *places, *flags])
    (run,) = find_runs(folder / "runs")
    return run


def copy_run(run, folder, change=None, **arrays):
    """Return a copy of a run.

    Args:
        run: It stays as it is.
        folder: Gets the copy.
        change: Takes the content of `config.json`, and changes it.
        **arrays: Name of an npz file -> function from its arrays to those to replace.
    """
    path = folder / "copy" / run.recipe / run.path.name
    shutil.copytree(run.path, path, dirs_exist_ok=True)
    config = json.loads((path / "config.json").read_text())
    if change is not None:
        change(config)
    (path / "config.json").write_text(json.dumps(config))
    for name, replace in arrays.items():
        with np.load(path / f"{name}.npz") as stored:
            found = dict(stored)
        np.savez(path / f"{name}.npz", **found | replace(found))
    return read_run(path)


def without_file(run, folder, **arrays):
    """Return a copy of a run whose data file is not there."""

    def change(config):
        config["data_facts"]["file"] = str(folder / "gone.csv")

    return copy_run(run, folder, change, **arrays)


def forecast(run, folder, *flags):
    """Return the rows of the forecast, written into `forecast` of a folder."""
    predict([str(run.path), "--to", str(folder / "forecast"), *flags])
    with (folder / "forecast" / "forecast.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def refuse(capsys, run, folder, *flags):
    """Return the one line of an error; nothing is written."""
    to = folder / "none"
    with pytest.raises(SystemExit) as ended:
        predict([str(run.path), "--to", str(to), *flags])
    assert ended.value.code == 2
    assert not to.exists()
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def save(table, folder, name="newer.csv"):
    """Write a table, and return the flags that name it."""
    table.to_csv(folder / name, index=False)
    return ["--file", str(folder / name)]


def column(rows, name):
    return np.array([float(row[name]) for row in rows])
