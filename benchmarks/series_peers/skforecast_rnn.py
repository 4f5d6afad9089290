"""skforecast's `ForecasterRnn`, with Keras on TensorFlow."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
from keras.callbacks import EarlyStopping
from keras.optimizers import Adam
from skforecast.deep_learning import ForecasterRnn, create_and_compile_model
from skforecast.model_selection import (
    TimeSeriesFold,
    backtesting_forecaster_multiseries,
)
from sklearn.preprocessing import MinMaxScaler

from .data import cut
from .peers import LEVELS, Forecasts, Problem, Stopwatch

NAME = "value"


def fit(problem: Problem, layer: str) -> Forecasts:
    """Train one recurrent layer and forecast the test windows.

    The intervals are its conformal ones, from the errors on the validation part.
    """
    task, budget = problem.task, problem.budget
    keras.utils.set_random_seed(problem.seed)
    series = pd.DataFrame({NAME: problem.values})
    epochs = budget.count_epochs(problem.num_training_windows)
    stop = EarlyStopping(
        patience=budget.count_patience(epochs), restore_best_weights=True
    )
    with Stopwatch() as watch:
        model = create_and_compile_model(
            series=series,
            levels=NAME,
            lags=task.lookback,
            steps=task.horizon,
            recurrent_layer=layer,
            recurrent_units=budget.units,
            dense_units=budget.units,
            compile_kwargs={"optimizer": Adam(budget.learning_rate), "loss": "mse"},
        )
        forecaster = ForecasterRnn(
            model,
            levels=NAME,
            lags=task.lookback,
            transformer_series=MinMaxScaler(),
            fit_kwargs={
                "epochs": epochs,
                "batch_size": budget.batch,
                "callbacks": [stop],
                "series_val": series.iloc[
                    problem.train_stop - task.lookback : problem.test_start
                ],
                "verbose": 0,
            },
        )
        forecaster.fit(series.iloc[: problem.train_stop], suppress_warnings=True)
    validation = np.arange(
        problem.train_stop, problem.test_start - task.horizon + 1, task.stride
    )
    found, _ = _predict(problem, forecaster, validation)
    forecaster.set_out_sample_residuals(
        {NAME: cut(problem.values, validation, task.horizon).ravel()},
        {NAME: found.ravel()},
    )
    intervals = {}
    for level in LEVELS:
        point, ends = _predict(problem, forecaster, problem.origins, level)
        intervals[level] = ends
    trained = len(forecaster.history_["loss"])
    return Forecasts(point, intervals, trained, watch.seconds)


def _predict(
    problem: Problem,
    forecaster: ForecasterRnn,
    origins: np.ndarray,
    level: int | None = None,
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return forecasts and the ends of an interval, each (num_windows, horizon)."""
    task = problem.task
    rows = problem.values[origins[0] - task.lookback : origins[-1] + task.horizon]
    _, table = backtesting_forecaster_multiseries(
        forecaster=forecaster,
        series=pd.DataFrame({NAME: rows}),
        cv=TimeSeriesFold(
            steps=task.horizon,
            initial_train_size=None,  # it is trained
            fold_stride=task.stride,
            allow_incomplete_fold=False,
            verbose=False,
        ),
        metric="mean_absolute_error",
        interval=[0.5 - level / 200, 0.5 + level / 200] if level else None,
        use_in_sample_residuals=False,
        use_binned_residuals=False,
        n_jobs=1,
        show_progress=False,
        suppress_warnings=True,
    )
    columns = ["pred"] + (["lower_bound", "upper_bound"] if level else [])
    found = [table[name].to_numpy().reshape(-1, task.horizon) for name in columns]
    return found[0], tuple(found[1:])
