"""The page of a sweep: one HTML file for offline use, and what the report shows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.core.files import to_csv, write_text
from shared.report.sweeps import (
    FORMAT,
    Part,
    Row,
    Setting,
    Sweep,
    keep_best,
    write_sweep,
)
from shared.runs.reader import Run
from shared.studies.sweep.confirm import (
    Confirmation,
    find_searched_runs,
    make_trial_of,
)
from shared.studies.sweep.folder import SweepFolder
from shared.studies.sweep.plan import Plan
from shared.studies.sweep.space import Range, format_changes
from shared.sweeps.trial import load_defaults
from shared.sweeps.trials import TrialIndex

MOST_ROWS = 2_000
"""Most trials on a page, the best ones; the table file has all."""
KINDS = {"grid": "a grid", "random": "a random search", "tpe": "a search by TPE"}


def write_page(
    plan: Plan,
    folder: SweepFolder,
    index: TrialIndex,
    confirmation: Confirmation | None,
    failures: Mapping[str, str],
) -> Path | None:
    """Write `index.html`, `page.json` and `trials.csv` into the folder of a sweep.

    Returns:
        The page; None if no trial has a score.
    """
    runs = list_runs(plan, index)
    if not runs:
        return None
    rows = make_rows(plan, runs)
    write_text(folder.path / "trials.csv", to_csv(list_table(rows, runs)))
    sweep = keep_best(
        Sweep(
            FORMAT, plan.name, datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            KINDS[plan.search], plan.recipes, plan.seeds, len(runs),
            list(describe_tried(plan)), list(split_by_data(plan, rows, runs)),
            confirmation.describe() if confirmation else [],
            confirmation.table if confirmation else [], list(failures.items())[:100],
        ),
        MOST_ROWS,
    )  # fmt: skip
    write_sweep(sweep, folder.path)
    from shared.report.render import render_sweep  # imports Bokeh

    write_text(folder.path / "index.html", render_sweep(sweep))
    return folder.path / "index.html"


def list_runs(plan: Plan, index: TrialIndex) -> list[Run]:
    """Return the runs of a sweep that have a score, oldest first."""
    if plan.search != "grid":
        found = find_searched_runs(plan, index)
    else:
        found = [run for run in map(index.find, plan.list_trials()) if run is not None]
    return sorted((run for run in found if run.summary["best"]), key=_read_end)


def _read_end(run: Run) -> float:
    """Return when a run ended. Its name may have the time of the sweep."""
    return (run.path / "summary.json").stat().st_mtime


def make_rows(plan: Plan, runs: Sequence[Run]) -> list[Row]:
    """Return runs, oldest first, as rows of the table."""
    rows, elapsed = [], 0.0
    for number, run in enumerate(runs, start=1):
        values = {name: run.settings[name] for name in plan.spaces[run.recipe]}
        if plan.search != "grid":
            trial = make_trial_of(plan, run)
            flags = plan.describe_changes(run.recipe, trial.changes)
        else:
            usual = load_defaults(run.recipe)
            flags = format_changes({k: v for k, v in values.items() if v != usual[k]})
        summary = run.summary
        seconds = round(sum(run.history["seconds"]), 2)
        elapsed += seconds
        rows.append(
            Row(
                number, run.recipe, flags, values, run.seed,
                summary["best"][f"val_{run.score.metric}"], summary["epochs"], seconds,
                round(elapsed, 2), bool(summary.get("pruned")), run.path.name,
            )
        )  # fmt: skip
    return rows


def list_table(rows: Sequence[Row], runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return all trials as rows of a table file with the same columns."""
    table = [
        {"recipe": r.recipe, "data": run.data, "seed": r.seed}
        | r.values
        | {f"val_{run.score.metric}": r.score, "epochs": r.epochs, "seconds": r.seconds}
        | {"pruned": r.is_pruned, "run": r.folder}
        for r, run in zip(rows, runs, strict=True)
    ]
    names = list(dict.fromkeys(itertools.chain.from_iterable(table)))
    return [{name: row.get(name, "") for name in names} for row in table]


def split_by_data(
    plan: Plan, rows: Sequence[Row], runs: Sequence[Run]
) -> Iterable[Part]:
    """Yield the trials of each data set, whose scores are of one kind."""
    for data in dict.fromkeys(run.data for run in runs):
        some = [k for k, run in enumerate(runs) if run.data == data]
        score = runs[some[0]].score
        recipes = {rows[k].recipe for k in some}
        spaces = [plan.spaces[recipe] for recipe in plan.recipes if recipe in recipes]
        settings = [
            Setting(name, any(_is_log(space.get(name)) for space in spaces))
            for name in dict.fromkeys(itertools.chain.from_iterable(spaces))
        ]
        yield Part(
            data, score.title, score.higher_is_better, settings, [rows[k] for k in some]
        )


def describe_tried(plan: Plan) -> Iterable[str]:
    """Yield a sentence for each setting that was tried, and for those of all trials."""
    for recipe, space in plan.spaces.items():
        for name, choices in space.items():
            if isinstance(choices, Range):
                text = choices.describe()
            else:
                text = ", ".join(map(str, choices))
            yield f"{recipe}: {name} {text}"
    for recipe, fixed in plan.fixed.items():
        if fixed:
            yield f"{recipe}: every trial has {format_changes(fixed)}"


def _is_log(choices: list[Any] | Range | None) -> bool:
    return isinstance(choices, Range) and choices.is_log
