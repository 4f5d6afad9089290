"""NeuralForecast's GRU and LSTM."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast, models
from neuralforecast.losses.pytorch import MQLoss

from .peers import LEVELS, Forecasts, Problem, Stopwatch

CHECK = 50  # updates between two validation losses
WINDOWS = 128  # its default: windows of an update


def fit(problem: Problem, layer: str) -> Forecasts:
    """Train one recurrent layer and forecast the test windows.

    One network forecasts the median and the ends of the intervals.
    """
    task, budget = problem.task, problem.budget
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    last = problem.origins[-1] + task.horizon
    table = pd.DataFrame(
        {"unique_id": "series", "ds": np.arange(last), "y": problem.values[:last]}
    )
    updates = _count_updates(problem)
    network = getattr(models, layer)(
        h=task.horizon,
        input_size=task.lookback,
        encoder_n_layers=1,
        encoder_hidden_size=budget.units,
        decoder_hidden_size=budget.units,
        loss=MQLoss(level=list(LEVELS)),
        learning_rate=budget.learning_rate,
        max_steps=updates,
        val_check_steps=min(CHECK, updates),
        early_stop_patience_steps=budget.count_patience(-(-updates // CHECK)),
        windows_batch_size=WINDOWS,
        scaler_type="standard",
        random_seed=problem.seed,
        alias="peer",
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    forecaster = NeuralForecast([network], freq=1)
    with Stopwatch() as watch:
        found = forecaster.cross_validation(
            table,
            val_size=task.validation_rows,
            test_size=last - problem.test_start,
            step_size=task.stride,
            n_windows=None,
        )
    found = found.sort_values(["cutoff", "ds"])
    shape = (len(problem.origins), task.horizon)
    ends = {
        level: tuple(
            found[f"peer-{side}-{level}"].to_numpy(float).reshape(shape)
            for side in ("lo", "hi")
        )
        for level in LEVELS
    }
    point = found["peer-median"].to_numpy(float).reshape(shape)
    seen = len(forecaster.models[0].train_trajectories) * WINDOWS
    epochs = seen / problem.num_training_windows
    return Forecasts(point, ends, round(epochs, 1), watch.seconds)


def _count_updates(problem: Problem) -> int:
    """Return how many updates read as many windows as the epochs of the others."""
    epochs = problem.budget.count_epochs(problem.num_training_windows)
    return max(1, round(epochs * problem.num_training_windows / WINDOWS))
