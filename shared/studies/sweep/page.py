"""The page of a sweep: one HTML file for offline use."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from bokeh.embed import components
from bokeh.models import HoverTool
from bokeh.plotting import figure
from bokeh.resources import Resources
from markupsafe import Markup

from shared.core.files import to_csv, write_text
from shared.plots.colours import recipe_colour
from shared.report import render
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

HERE = Path(__file__).resolve().parent
MOST_ROWS = 2_000
"""Most trials on a page; the table file has all."""
WIDTH, HEIGHT = 420, 300  # pixels of a plot


@dataclass(frozen=True)
class Row:
    """One trial of a sweep.

    Attributes:
        recipe: Name with dashes.
        flags: Its flags, without those of all trials.
        values: Field name -> value, of what the sweep varies.
        seed: Of the trial.
        score: Best validation score.
        epochs: Trained epochs.
        seconds: Of training.
        is_pruned: Whether it was stopped early.
        folder: Name of its run folder.
    """

    recipe: str
    flags: str
    values: dict[str, Any]
    seed: int
    score: float
    epochs: int
    seconds: float
    is_pruned: bool
    folder: str


def write_page(
    plan: Plan,
    folder: SweepFolder,
    index: TrialIndex,
    confirmation: Confirmation | None,
    failures: Mapping[str, str],
) -> Path | None:
    """Write `index.html` and `trials.csv` into the folder of a sweep.

    Returns:
        The page; None if no trial has a score.
    """
    runs = list_runs(plan, index)
    if not runs:
        return None
    rows = [make_row(plan, run) for run in runs]
    table = [
        {"recipe": r.recipe, "data": run.data, "seed": r.seed}
        | r.values
        | {f"val_{run.score.metric}": r.score, "epochs": r.epochs, "seconds": r.seconds}
        | {"pruned": r.is_pruned, "run": r.folder}
        for r, run in zip(rows, runs, strict=True)
    ]
    names = list(dict.fromkeys(itertools.chain.from_iterable(table)))
    full = [{name: row.get(name, "") for name in names} for row in table]
    write_text(folder.path / "trials.csv", to_csv(full))
    sections, script = [], ""
    for data in dict.fromkeys(run.data for run in runs):  # scores of one kind
        some = [k for k, run in enumerate(runs) if run.data == data][-MOST_ROWS:]
        shown, score = [rows[k] for k in some], runs[some[0]].score
        more, plots = components(draw(plan, shown, score.title, score.sign))
        script += more
        sections.append(
            {
                "data": data,
                "metric": score.title,
                "higher": score.higher_is_better,
                "plots": [Markup(one) for one in plots],
                "rows": sorted(shown, key=lambda row: -score.sign * row.score),
            }
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    spaces = [
        (recipe, name, _describe(choices))
        for recipe, space in plan.spaces.items()
        for name, choices in space.items()
    ]
    text = environment.get_template("sweep.html").render(
        plan=plan,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        num_rows=len(rows),
        sections=sections,
        spaces=spaces,
        fixed={r: format_changes(f) for r, f in plan.fixed.items() if f},
        confirmation=confirmation.describe() if confirmation else [],
        failures=list(failures.items())[:100],
        style=Markup((Path(render.__file__).parent / "page.css").read_text("utf-8")),
        resources=Markup(
            "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)
        ),
        script=Markup(script),
    )
    write_text(folder.path / "index.html", text)
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


def make_row(plan: Plan, run: Run) -> Row:
    """Return a run as a row of the table."""
    values = {name: run.settings[name] for name in plan.spaces[run.recipe]}
    if plan.search != "grid":
        trial = make_trial_of(plan, run)
        flags = plan.describe_changes(run.recipe, trial.changes)
    else:
        usual = load_defaults(run.recipe)
        flags = format_changes({k: v for k, v in values.items() if v != usual[k]})
    summary = run.summary
    return Row(
        run.recipe, flags, values, run.seed,
        summary["best"][f"val_{run.score.metric}"], summary["epochs"],
        round(sum(run.history["seconds"]), 2), bool(summary.get("pruned")),
        run.path.name,
    )  # fmt: skip


def find_best_so_far(scores: Sequence[float], sign: int) -> list[float]:
    """Return the best of all scores up to each one.

    Args:
        scores: In order of time.
        sign: 1 if a higher score is better, else -1.
    """
    return list(itertools.accumulate(scores, max if sign > 0 else min))


def draw(plan: Plan, rows: Sequence[Row], title: str, sign: int) -> list[Any]:
    """Return the plots: best so far by trials and by hours, a slice per setting."""
    scores = [row.score for row in rows]
    hours = list(itertools.accumulate(row.seconds / 3600 for row in rows))
    finished = [row.score if not row.is_pruned else None for row in rows]
    best = find_best_so_far(
        [s if s is not None else -sign * float("inf") for s in finished], sign
    )
    best = [value if abs(value) != float("inf") else None for value in best]
    plots = []
    for x, name in (
        (list(range(1, len(rows) + 1)), "trials"),
        (hours, "hours of training, all together"),
    ):
        plot = _make_plot("Best so far", name, title)
        _scatter(plot, x, rows, scores)
        steps = [(a, b) for a, b in zip(x, best, strict=True) if b is not None]
        if steps:
            plot.step(*zip(*steps, strict=True), mode="after", line_width=2,
                      color="#0072B2")  # fmt: skip
        plots.append(plot)
    names = dict.fromkeys(name for space in plan.spaces.values() for name in space)
    for name in names:
        having = [row for row in rows if name in row.values]
        choices = [s[name] for s in plan.spaces.values() if name in s]
        is_log = any(isinstance(one, Range) and one.is_log for one in choices)
        values = [row.values[name] for row in having]
        is_number = all(
            isinstance(v, int | float) and not isinstance(v, bool) for v in values
        )
        kind = {} if is_number else {"x_range": sorted({str(v) for v in values})}
        if is_number and is_log:
            kind = {"x_axis_type": "log"}
        plot = _make_plot(f"Slice: {name}", name, title, **kind)
        x = values if is_number else [str(v) for v in values]
        _scatter(plot, x, having, [row.score for row in having])
        plots.append(plot)
    return plots


def _make_plot(title: str, x: str, y: str, **kind: Any) -> Any:
    plot = figure(
        title=title, width=WIDTH, height=HEIGHT, x_axis_label=x, y_axis_label=y,
        tools="pan,wheel_zoom,box_zoom,reset", toolbar_location="above", **kind,
    )  # fmt: skip
    plot.toolbar.logo = None
    return plot


def _scatter(plot: Any, x: list[Any], rows: Sequence[Row], y: list[float]) -> None:
    """Draw a mark per trial in the colour of its recipe; a pruned one is hollow."""
    colours = [recipe_colour(row.recipe) for row in rows]
    source = {
        "x": x, "y": y, "colour": colours, "seed": [row.seed for row in rows],
        "fill": [0.0 if row.is_pruned else 0.8 for row in rows],
        "label": [f"{row.recipe} {row.flags}" for row in rows],
        "state": ["pruned" if row.is_pruned else "finished" for row in rows],
    }  # fmt: skip
    marks = plot.scatter(
        "x", "y", source=source, size=7, color="colour", fill_alpha="fill"
    )
    tips = [("trial", "@label"), ("seed", "@seed"), ("score", "@y"), ("", "@state")]
    plot.add_tools(HoverTool(renderers=[marks], tooltips=tips))


def _describe(choices: list[Any] | Range) -> str:
    if isinstance(choices, Range):
        return choices.describe()
    return ", ".join(map(str, choices))
