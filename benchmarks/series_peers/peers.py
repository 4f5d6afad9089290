"""What a peer is: given a task, it returns forecasts of the test windows."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .data import Task

LEVELS = (80, 95)
"""Percent that the intervals promise."""
QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
"""The ends of these intervals, and the median."""


@dataclass(frozen=True)
class Budget:
    """What every network gets.

    Attributes:
        units: Of its one recurrent layer.
        batch: Windows of an update.
        learning_rate: Of Adam.
        epochs: At most. More on a short series, so that it gets `updates` at most.
        updates: At most, on a short series.
        patience: Share of the epochs that may pass without a better validation loss.
    """

    units: int = 64
    batch: int = 32
    learning_rate: float = 1e-3
    epochs: int = 20
    updates: int = 2000
    patience: float = 0.2

    def count_epochs(self, num_windows: int) -> int:
        """Return the largest number of epochs on so many training windows."""
        return max(self.epochs, self.updates // math.ceil(num_windows / self.batch))

    def count_patience(self, epochs: int) -> int:
        """Return how many epochs may pass without a better validation loss."""
        return max(1, round(self.patience * epochs))


QUICK = {"epochs": 1, "updates": 20}
"""A budget that shows that a peer runs. Its errors mean nothing."""


@dataclass(frozen=True)
class Problem:
    """A task with its values.

    Attributes:
        task: Horizon, season, windows, parts.
        values: float64, (num_rows,): all parts.
        origins: int64, (num_windows,): the first row that each test window forecasts.
        seed: Of the network.
        budget: Of the network.
    """

    task: Task
    values: np.ndarray
    origins: np.ndarray
    seed: int
    budget: Budget = Budget()

    @property
    def train_stop(self) -> int:
        """The first row behind the training part."""
        return self.test_start - self.task.validation_rows

    @property
    def test_start(self) -> int:
        """The first row of the test part."""
        return len(self.values) - self.task.test_rows

    @property
    def num_training_windows(self) -> int:
        """Windows whose inputs and targets are all in the training part."""
        return self.train_stop - self.task.lookback - self.task.horizon + 1


@dataclass(frozen=True)
class Forecasts:
    """What a peer returns.

    Attributes:
        point: (num_windows, horizon).
        intervals: Percent -> lower and upper ends, each (num_windows, horizon). Empty
            if the peer has none.
        epochs: Epochs that it trained; None if it has none.
        fit_seconds: Processor seconds of the training alone.
    """

    point: np.ndarray
    intervals: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    epochs: float | None = None
    fit_seconds: float = 0.0


@dataclass
class Stopwatch:
    """Processor seconds of this process inside `with`.

    Attributes:
        seconds: So far.
    """

    seconds: float = 0.0

    def __enter__(self) -> Stopwatch:
        self._start = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._start


@dataclass(frozen=True)
class Peer:
    """Something that forecasts.

    Attributes:
        module: Of this package, imported in the peer's own process only.
        function: Its name there.
        options: Keyword arguments of the function.
        is_random: Whether another seed gives other forecasts.
    """

    module: str
    function: str
    options: dict[str, object] = field(default_factory=dict)
    is_random: bool = True

    def forecast(self, problem: Problem) -> Forecasts:
        """Train, and forecast every test window."""
        module = importlib.import_module(f".{self.module}", __package__)
        function: Callable[..., Forecasts] = getattr(module, self.function)
        return function(problem, **self.options)


PEERS = {
    "last value": Peer("simple", "repeat_value", is_random=False),
    "last season": Peer("simple", "repeat_season", is_random=False),
    "ridge on differences": Peer("simple", "fit_ridge", is_random=False),
    "AutoETS": Peer("statistical", "fit", {"name": "AutoETS"}, is_random=False),
    "AutoTheta": Peer("statistical", "fit", {"name": "AutoTheta"}, is_random=False),
    "skforecast GRU": Peer("skforecast_rnn", "fit", {"layer": "GRU"}),
    "skforecast LSTM": Peer("skforecast_rnn", "fit", {"layer": "LSTM"}),
    "NeuralForecast GRU": Peer("neuralforecast_rnn", "fit", {"layer": "GRU"}),
    "NeuralForecast LSTM": Peer("neuralforecast_rnn", "fit", {"layer": "LSTM"}),
    "Darts GRU": Peer("darts_rnn", "fit", {"layer": "GRU"}),
    "Darts GRU, reversible": Peer(
        "darts_rnn", "fit", {"layer": "GRU", "reversible": True}
    ),
}
