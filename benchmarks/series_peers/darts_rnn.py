"""Darts' `BlockRNNModel`, with and without reversible instance normalisation."""

from __future__ import annotations

import logging
import tempfile

import numpy as np
from darts import TimeSeries
from darts.dataprocessing.transformers import Scaler
from darts.models import BlockRNNModel, ConformalNaiveModel
from pytorch_lightning.callbacks import EarlyStopping
from sklearn.preprocessing import MinMaxScaler

from .peers import LEVELS, QUANTILES, Forecasts, Problem, Stopwatch

NAME = "peer"


def fit(problem: Problem, layer: str, reversible: bool = False) -> Forecasts:
    """Train one recurrent layer and forecast the test windows.

    The epoch with the least validation loss forecasts. The intervals are its conformal
    ones, calibrated on as many rows before each forecast as validate.
    """
    task, budget = problem.task, problem.budget
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("darts").setLevel(logging.ERROR)
    whole = TimeSeries.from_values(problem.values.astype(np.float32))
    scaler = Scaler(MinMaxScaler())
    train = scaler.fit_transform(whole[: problem.train_stop])
    scaled = scaler.transform(whole)
    epochs = budget.count_epochs(problem.num_training_windows)
    stop = EarlyStopping("val_loss", patience=budget.count_patience(epochs))
    with tempfile.TemporaryDirectory() as folder:
        model = BlockRNNModel(
            input_chunk_length=task.lookback,
            output_chunk_length=task.horizon,
            model=layer,
            hidden_dim=budget.units,
            n_rnn_layers=1,
            use_reversible_instance_norm=reversible,
            batch_size=budget.batch,
            n_epochs=epochs,
            optimizer_kwargs={"lr": budget.learning_rate},
            random_state=problem.seed,
            model_name=NAME,
            work_dir=folder,
            save_checkpoints=True,
            force_reset=True,
            pl_trainer_kwargs={
                "accelerator": "cpu",
                "callbacks": [stop],
                "enable_progress_bar": False,
                "enable_model_summary": False,
                "logger": False,
            },
        )
        validation = scaled[problem.train_stop - task.lookback : problem.test_start]
        with Stopwatch() as watch:
            model.fit(train, val_series=validation)
        trained = model.epochs_trained
        model = BlockRNNModel.load_from_checkpoint(NAME, folder, best=True)
    forecaster = ConformalNaiveModel(
        model,
        quantiles=list(QUANTILES),
        cal_length=_count_calibration(problem),
        cal_stride=task.stride,
    )
    found = forecaster.historical_forecasts(
        scaled,
        forecast_horizon=task.horizon,
        start=problem.test_start,
        start_format="position",
        stride=task.stride,
        last_points_only=False,
        predict_likelihood_parameters=True,
        verbose=False,
    )
    windows = np.stack([scaler.inverse_transform(one).values() for one in found])
    by_quantile = dict(zip(QUANTILES, np.moveaxis(windows, -1, 0), strict=True))
    intervals = {
        level: (
            by_quantile[round(0.5 - level / 200, 3)],
            by_quantile[round(0.5 + level / 200, 3)],
        )
        for level in LEVELS
    }
    return Forecasts(by_quantile[0.5], intervals, trained, watch.seconds)


def _count_calibration(problem: Problem) -> int:
    """Return how many forecasts within the validation part calibrate an interval."""
    rows = problem.task.validation_rows - problem.task.horizon
    return max(1, rows // problem.task.stride)
