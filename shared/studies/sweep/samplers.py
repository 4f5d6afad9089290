"""Which settings a search tries next: at random, or by a model of the scores (TPE)."""

from __future__ import annotations

import importlib.util
import json
import threading
from pathlib import Path
from typing import Any, Protocol

from shared.core.errors import UserError
from shared.studies.sweep.plan import Plan
from shared.studies.sweep.space import Range, draw
from shared.sweeps.trial import Trial

INSTALL = "pip install -r requirements-search.txt"


class Sampler(Protocol):
    """Chooses trials one after the other, and learns how they ended."""

    def ask(self) -> Trial | None:
        """Return the next trial; None if there are enough."""

    def tell(self, trial: Trial, error: float | None, was_pruned: bool) -> None:
        """Record how a trial ended.

        Args:
            trial: From `ask`.
            error: Best validation score, turned so that lower is better; None after a
                failure.
            was_pruned: Whether it was stopped early.
        """


def make_sampler(plan: Plan, num_trials: int, database: Path) -> Sampler:
    """Return the sampler of a search.

    Raises:
        UserError: If TPE is asked for and Optuna is not installed.
    """
    if plan.search == "random":
        return RandomSampler(plan, num_trials)
    if importlib.util.find_spec("optuna") is None:
        raise UserError(
            f"--search tpe: needs Optuna, which is not installed. {INSTALL} or take "
            "--search random."
        )
    return TpeSampler(plan, num_trials, database)


class RandomSampler:
    """Draws each trial from the seed and its number, so a search can go on."""

    def __init__(self, plan: Plan, num_trials: int) -> None:
        self.plan = plan
        self.num_trials = num_trials
        self.number = 0

    def ask(self) -> Trial | None:
        """Return the next trial."""
        if self.number >= self.num_trials:
            return None
        (recipe,), (seed,) = self.plan.recipes, self.plan.seeds
        values = draw(self.plan.spaces[recipe], seed, self.number)
        self.number += 1
        return self.plan.make_trial(recipe, values, seed, False)

    def tell(self, trial: Trial, error: float | None, was_pruned: bool) -> None:
        """Learn nothing."""


class TpeSampler:
    """Optuna's tree-structured Parzen estimator, with its record in SQLite.

    If the process was killed, trials without a score come first in the next one.
    """

    def __init__(self, plan: Plan, num_trials: int, database: Path) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.optuna = optuna
        self.plan = plan
        self.num_trials = num_trials
        (self.recipe,), (self.seed,) = plan.recipes, plan.seeds
        self.lock = threading.Lock()
        self.asked: dict[str, Any] = {}
        database.parent.mkdir(parents=True, exist_ok=True)
        self.study = optuna.create_study(
            study_name="sweep",
            storage=f"sqlite:///{database.absolute()}",
            load_if_exists=True,
            direction="minimize",
        )
        # A search that goes on must not draw again what it drew at its start.
        seed = (self.seed + 7919 * len(self.study.trials)) % 2**32
        self.study.sampler = optuna.samplers.TPESampler(
            seed=seed, constant_liar=True, n_startup_trials=10
        )
        states = optuna.trial.TrialState
        open_trials = self.study.get_trials(states=(states.RUNNING,))
        for trial in open_trials:
            self.study.tell(trial.number, state=states.FAIL)
            self.study.enqueue_trial(trial.params, skip_if_exists=False)
        done = self.study.get_trials(states=(states.COMPLETE, states.PRUNED))
        self.left = num_trials - len(done)

    def ask(self) -> Trial | None:
        """Return the next trial."""
        with self.lock:
            if self.left <= 0:
                return None
            self.left -= 1
            space = self.plan.spaces[self.recipe]
            asked = self.study.ask(
                {name: self._distribution(one) for name, one in space.items()}
            )
            values = {
                name: choices.round(asked.params[name])
                if isinstance(choices, Range)
                else json.loads(asked.params[name])
                for name, choices in space.items()
            }
            trial = self.plan.make_trial(self.recipe, values, self.seed, False)
            self.asked.setdefault(trial.label, []).append(asked)
            return trial

    def tell(self, trial: Trial, error: float | None, was_pruned: bool) -> None:
        """Record how a trial ended."""
        states = self.optuna.trial.TrialState
        with self.lock:
            asked = self.asked[trial.label].pop()
            if error is None:
                self.study.tell(asked, state=states.FAIL)
            elif was_pruned:
                asked.report(error, 1)
                self.study.tell(asked, state=states.PRUNED)
            else:
                self.study.tell(asked, error)

    def _distribution(self, choices: list[Any] | Range) -> Any:
        kinds = self.optuna.distributions
        if not isinstance(choices, Range):
            return kinds.CategoricalDistribution([json.dumps(v) for v in choices])
        if choices.is_whole:
            low, high = int(choices.low), int(choices.high)
            return kinds.IntDistribution(low, high, log=choices.is_log)
        return kinds.FloatDistribution(choices.low, choices.high, log=choices.is_log)
