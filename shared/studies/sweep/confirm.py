"""What a search found: was it better settings, or luck?

The trial that won a search has the best of many validation scores. Part of that is
luck. So the chosen settings are trained again on seeds that the search never saw, and
so are the defaults. Only these runs score the test set.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace

from shared.compare.verdicts import Verdict, compare_pairs
from shared.report.sweeps import Confirmed
from shared.runs.cost import score_run
from shared.runs.groups import Group, group_runs
from shared.runs.reader import Run
from shared.studies.sweep.plan import Plan
from shared.studies.sweep.space import make_changes
from shared.studies.sweep.train import Trainer, find_searched, measure
from shared.sweeps.seeds import parse_seeds
from shared.sweeps.trial import Trial
from shared.sweeps.trials import TrialIndex


@dataclass(frozen=True)
class Confirmation:
    """What became of the trial that won a search.

    Attributes:
        label: Its flags.
        metric: Name of the score.
        searched: Its validation score in the search.
        fresh: Its mean validation score on fresh seeds; None without such runs.
        defaults: The same of the recipe's defaults.
        sign: 1 if a higher score is better, else -1.
        seeds: How many fresh seeds.
        verdict: The comparison with the defaults on the test set; None without one.
        table: All these scores.
    """

    label: str
    metric: str
    searched: float
    fresh: float | None = None
    defaults: float | None = None
    sign: int = 1
    seeds: int = 0
    verdict: Verdict | None = None
    table: list[Confirmed] = field(default_factory=list)

    @property
    def luck(self) -> float | None:
        """By how much the score of the search was better than on fresh seeds."""
        if self.fresh is None:
            return None
        return self.sign * (self.searched - self.fresh)

    def describe(self) -> list[str]:
        """Return the outcome in sentences."""
        lines = [
            f"Chosen: {self.label}. It won the search with val_{self.metric} "
            f"{self.searched:.4f}."
        ]
        if self.fresh is None:
            lines.append(
                "It was not trained on fresh seeds, so part of this may be luck."
            )
            return lines
        word = "better" if self.luck >= 0 else "worse"
        lines.append(
            f"On {self.seeds} fresh seeds its mean is {self.fresh:.4f}. The search was "
            f"{abs(self.luck):.4f} {word}: that part was luck of its seed."
        )
        if self.defaults is not None:
            lines.append(f"The defaults have {self.defaults:.4f} on the same seeds.")
        if self.verdict is not None:
            lines.append(f"On the test set: {self.verdict.sentence}")
        return lines


def find_searched_runs(plan: Plan, index: TrialIndex) -> list[Run]:
    """Return the runs of a search, finished or pruned, oldest first."""
    (recipe,), (seed,) = plan.recipes, plan.seeds
    found = []
    for run in index.runs:
        if run.recipe != recipe or run.seed != seed or run.summary["best"] is None:
            continue
        trial = make_trial_of(plan, run)
        if trial is not None and find_searched(index, trial) is run:
            found.append(run)
    return found


def make_trial_of(plan: Plan, run: Run) -> Trial | None:
    """Return the trial of the search that a run belongs to; None if there is none."""
    (recipe,), (seed,) = plan.recipes, plan.seeds
    space = plan.spaces[recipe]
    if not space.keys() <= run.settings.keys():
        return None
    values = {name: run.settings[name] for name in space}
    for name, choices in space.items():
        if isinstance(choices, list):
            if values[name] not in choices:
                return None
        elif values[name] is None or not choices.low <= values[name] <= choices.high:
            return None
    return plan.make_trial(recipe, values, seed, False)


def find_best_trial(plan: Plan, index: TrialIndex) -> tuple[Trial, Run] | None:
    """Return the trial with the best validation score of a search, not pruned."""
    runs = [run for run in find_searched_runs(plan, index) if run.state == "finished"]
    if not runs:
        return None
    best = min(runs, key=lambda run: measure(run)[0])
    return make_trial_of(plan, best), best


def confirm(trainer: Trainer, seeds: str) -> Confirmation | None:
    """Train what a search chose, and the defaults, on fresh seeds, and compare them.

    Args:
        trainer: After the search.
        seeds: As `--confirm-seeds`; `none` trains nothing.

    Returns:
        None if no trial of the search has finished.
    """
    plan, index = trainer.plan, trainer.index
    found = find_best_trial(plan, index)
    if found is None:
        print("No trial of the search has finished, so nothing is chosen.")
        return None
    best, run = found
    score = run.score
    made = Confirmation(
        plan.describe_changes(best.recipe, best.changes),
        score.metric,
        run.summary["best"][f"val_{score.metric}"],
        sign=score.sign,
    )
    if seeds == "none":
        _show(made)
        return made
    (recipe,) = plan.recipes
    usual = make_changes(recipe, plan.fixed[recipe])
    numbers = parse_seeds(seeds)
    parts = [
        [_repeat(plan, best, changes, seed) for seed in numbers]
        for changes in (best.changes, usual)
    ]
    if best.changes == usual:
        print("The search chose the defaults.")
        parts = parts[:1]
    trainer.train_missing(
        [trial for part in parts for trial in part], "fresh trainings"
    )
    runs = [[index.find(trial) for trial in part] for part in parts]
    if any(run is None for part in runs for run in part):
        _show(made)
        return made
    table = [
        Confirmed("the chosen settings, in the search", 1, (made.searched, None)),
        _summarize(f"the chosen settings, seeds {seeds}", runs[0]),
    ]
    made = replace(made, fresh=_average(runs[0]), seeds=len(numbers), table=table)
    if len(parts) > 1:
        names = ("the chosen settings", "the defaults")
        groups = [
            replace(_group(part), label=name)
            for part, name in zip(runs, names, strict=True)
        ]
        verdict = compare_pairs([tuple(groups)], groups)[0]
        made = replace(made, defaults=_average(runs[1]), verdict=verdict)
        table.append(_summarize(f"the defaults, seeds {seeds}", runs[1]))
    _show(made)
    return made


def _repeat(plan: Plan, best: Trial, changes: dict, seed: int) -> Trial:
    flags = plan.describe_changes(best.recipe, changes)
    label = f"{best.recipe} {flags}, fresh seed {seed}"
    return replace(best, changes=changes, seed=seed, label=label, is_tested=True)


def _group(runs: list[Run]) -> Group:
    (group,) = group_runs(runs)
    return group


def _average(runs: list[Run]) -> float:
    return statistics.fmean(_list_scores(runs))


def _list_scores(runs: list[Run]) -> list[float]:
    name = f"val_{runs[0].score.metric}"
    return [run.summary["best"][name] for run in runs]


def _summarize(name: str, runs: list[Run]) -> Confirmed:
    tested = [score_run(run) for run in runs]
    parts = [
        (
            statistics.fmean(scores),
            statistics.stdev(scores) if len(scores) > 1 else None,
        )
        for scores in (_list_scores(runs), tested)
    ]
    return Confirmed(name, len(runs), *parts)


def _show(made: Confirmation) -> None:
    for line in made.describe():
        print(line)
