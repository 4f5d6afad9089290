"""Train the recipe of a run again for each fold, on the rows before it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shared.core.errors import UserError
from shared.core.files import hash_file
from shared.core.flags import resolve_config
from shared.core.recipes import load_recipe
from shared.core.text import shorten
from shared.data.series.layout import Layout
from shared.inference.rebuild import restore_config
from shared.runs.reader import Run
from shared.studies.backtest.folds import Fold, Forecasts, find_stride
from shared.sweeps.trial import TrialBase
from shared.sweeps.trials import TrialIndex, train_missing
from shared.sweeps.workers import Worker

SPLIT_FLAGS = ("until", "train_share", "validation_share", "train_steps",
               "validation_steps", "test_steps", "test_stride")  # fmt: skip
"""Flags of a run that a fold replaces."""
Window = Literal["expanding", "sliding"]


@dataclass(frozen=True)
class FoldTrial(TrialBase):
    """The training of one fold.

    Attributes:
        recipe: Name with dashes.
        fold: The part to test on. All rows before it may be read.
        settings: Flags by field name, as JSON holds them.
        seed: The same for every fold.
        label: For one line of output.
        sha256: Hash of the data file; empty for generated data.
    """

    recipe: str
    fold: Fold
    settings: dict[str, Any]
    seed: int
    label: str
    sha256: str

    @property
    def changes(self) -> dict[str, Any]:
        """The flags, as a trial has them."""
        return self.settings

    @property
    def is_tested(self) -> bool:
        """A fold is scored on its test part."""
        return True


@dataclass(frozen=True)
class _Length:
    """Steps of the series of a run.

    Attributes:
        before: Of the longest series, up to the first fold.
        validation: Of the validation part, for every series. They fit the shortest one.
        last_fold: From the last fold to the end of the measured values.
    """

    before: int
    validation: int
    last_fold: int


def find_file(run: Run, file: Path | None) -> Path | None:
    """Return where the data file of a run is; None for a generated series.

    Args:
        run: Of a series recipe.
        file: Its new place; None: where the run has read it.

    Raises:
        UserError: If it is gone, or has changed.
    """
    facts = run.config["data_facts"]
    if facts.get("is_sample") or "file" not in facts:
        if file is not None:
            raise UserError(
                f"--file {shorten(str(file))}: the run was trained on the generated "
                "series. Omit the flag."
            )
        return None
    path = Path(facts["file"]) if file is None else file.absolute()
    if not path.is_file():
        raise UserError(
            f"{shorten(str(path))}: no such file. --refit reads the file of the run "
            "again: pass its place with --file."
        )
    if hash_file(path) != run.data_hash:
        raise UserError(
            f"{shorten(str(path))}: has other content than the file that the run read "
            f"(SHA-256 {run.data_hash[:8]}...). Pass that file with --file, or train "
            f"again: make {run.recipe}."
        )
    return path


def plan_trials(
    run: Run,
    layout: Layout,
    forecasts: Forecasts,
    folds: Sequence[Fold],
    window: Window,
    file: Path | None,
) -> list[FoldTrial]:
    """Return the training of each fold.

    A fold repeats the flags of the run, and reads as many steps as the run. It may read
    no row from its first step on before it is tested. The steps before that choose
    the epoch, as many as in the run. The earlier ones train: all of them, or as many as
    for the first fold.

    Args:
        run: Of a series recipe.
        layout: Of the run.
        forecasts: Of its test part.
        folds: At least one.
        window: `expanding` keeps all earlier rows, `sliding` as many as the first fold
            has.
        file: From `find_file`.

    Raises:
        UserError: If the recipe or the data are no longer those of the run.
    """
    length = _measure_length(run, layout, folds, file)
    changed = run.config["changed"]
    settings = {k: v for k, v in changed.items() if k not in (*SPLIT_FLAGS, "seed")}
    if file is not None:
        settings["file"] = str(file)
    settings |= {
        "lookback": layout.lookback,
        "season": layout.season,
        "test_stride": find_stride(forecasts, layout.frequency),
        "validation_steps": length.validation,
    }
    if window == "sliding":
        first = length.before - length.validation
        settings["train_steps"] = run.settings["train_steps"] or first
    trials = []
    for fold in folds:
        ends: dict[str, Any] = {"test_steps": fold.steps, "until": str(fold.stop)}
        if fold.stop is None:
            ends = {"test_steps": length.last_fold}
            if run.settings.get("until") is not None:
                ends["until"] = run.settings["until"]
        label = f"fold {fold.number} of {len(folds)}, from {fold.first}"
        trials.append(
            FoldTrial(run.recipe, fold, settings | ends, run.seed, label, run.data_hash)
        )
    return trials


def train_folds(
    trials: Sequence[FoldTrial], results_dir: Path, num_workers: int
) -> tuple[list[Run | None], list[Worker]]:
    """Train the folds that have no finished run yet.

    Args:
        trials: At least one.
        results_dir: Folder for the runs of the folds.
        num_workers: How many train at a time. Each uses its share of the cores.

    Returns:
        The run of each fold, None where its training failed. And the workers that
        failed.
    """
    index = TrialIndex(results_dir)
    failed = train_missing(trials, index, num_workers, noun="folds")
    return [index.find(trial) for trial in trials], failed


def _measure_length(
    run: Run, layout: Layout, folds: Sequence[Fold], file: Path | None
) -> _Length:
    """Read the data of a run again, and count the steps of its series."""
    recipe = load_recipe(run.recipe)
    if recipe is None:
        raise UserError(
            f"{run.path}: the recipe {run.recipe} no longer exists. make help lists "
            "the recipes. Name a run of another one."
        )
    settings = dict(run.settings)
    if file is not None:
        settings["file"] = str(file)
    try:
        config, _ = restore_config(recipe.Config(), settings)
    except UserError as error:
        raise UserError(f"{run.path}: {error}") from None
    with contextlib.redirect_stdout(io.StringIO()):  # the run has told it all
        data = recipe.load_data(resolve_config(config))
    stops = [*data.first_rows[1:], len(data.values)]
    counts, ends = {}, {}
    for first, stop, kept in zip(data.first_rows, stops, data.latest, strict=True):
        ahead = len(kept.times) - kept.num_observed  # the known future
        counts[kept.name] = int(stop - first) - ahead
        ends[kept.name] = kept.times[kept.num_observed - 1]

    def count_after(time: np.datetime64, end: np.datetime64) -> int:
        return int(layout.frequency.count_steps(np.array([time, end]))[0][1]) + 1

    validation = run.settings["validation_steps"]
    if validation is None:
        share = run.settings["validation_share"]
        shortest = int(round(min(counts.values()) * share, 6))
        validation = max(layout.horizon, shortest)
    last_fold = count_after(folds[-1].first, max(ends.values()))
    for fold in folds:
        test = last_fold if fold.stop is None else fold.steps
        for name in counts:  # the earliest part of a held-out series scales it
            after = 0 if fold.stop is None else count_after(fold.stop, ends[name])
            if counts[name] - max(0, after) - test - validation < 1:
                raise UserError(
                    f"series {shorten(name)!r} has no row left to train on in fold "
                    f"{fold.number}, from {fold.first}: --refit needs series that "
                    "begin earlier. Omit --refit, or train on a file without it."
                )
    longest = max(counts, key=counts.get)
    before = counts[longest] - count_after(folds[0].first, ends[longest])
    return _Length(before, validation, last_fold)
