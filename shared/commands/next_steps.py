"""What to do after a run: look at its curves, compare it, use it."""

from __future__ import annotations

import csv
import shlex
import statistics
from pathlib import Path

from shared.core.environment import PROJECT
from shared.core.errors import UserError
from shared.core.recipes import list_recipes
from shared.core.text import shorten_path, wrap
from shared.data.generated.vowels import VowelsConfig
from shared.data.writing.config import WritingConfig
from shared.inference.parts import list_parts
from shared.inference.predictors import find_predictor
from shared.runs.reader import RUNS, Run

PUBLISHED = PROJECT / "results" / "reference" / "imdb-runs.csv"
"""Scores on the real reviews: one row per recipe and seed."""
NETWORK, LINEAR = "test_best", "test of linear model, uni- and bigrams"
GENERATED = "These data are generated. The scores say nothing about real data."


def list_next_steps(run: Run, root: Path) -> list[str]:
    """Return a line for each thing to do next, and a warning if the data are generated.

    Args:
        run: It has ended.
        root: Folder of all runs.
    """
    if run.state != "finished":
        return []
    lines = []
    if run.config["data_facts"].get("is_sample"):
        lines.append(wrap(describe_real_reviews(run.recipe) or GENERATED))
    lines.append(f"Curves:  {shorten_path(run.path / 'curves.png')}")
    usual = root.resolve() == RUNS.resolve()
    if sibling := find_sibling(run.recipe):
        where = "" if usual else f" ARGS={shlex.quote(f'--results-dir {root}')}"
        lines.append(
            f"Compare: make {sibling}, then make compare "
            f'RUNS="{run.recipe} {sibling}"{where}'
        )
    if use := _find_use(run, run.recipe if usual else shlex.quote(str(run.path))):
        lines.append(use)
    return lines


def describe_real_reviews(recipe: str) -> str:
    """Return how a recipe and the linear model compare on the real reviews.

    The sample favours the network: its reviews are made so that order matters.

    Args:
        recipe: Name with dashes.

    Returns:
        A sentence with the published scores; empty if there are none.
    """
    try:
        with PUBLISHED.open(encoding="utf-8", newline="") as file:
            runs = [row for row in csv.DictReader(file) if row["run"] == recipe]
        network, linear = (
            statistics.fmean(float(run[name]) for run in runs)
            for name in (NETWORK, LINEAR)
        )
    except (OSError, KeyError, TypeError, ValueError):
        return ""
    pairs = sorted([(linear, "the linear model"), (network, recipe)], reverse=True)
    (most, better), (least, worse) = pairs
    return (
        f"These reviews are generated. On the real ones {better} is better than "
        f"{worse}: {100 * most:.1f} against {100 * least:.1f} % of the test "
        f"reviews ({PUBLISHED.relative_to(PROJECT)})."
    )


def find_sibling(recipe: str) -> str:
    """Return another published recipe of the same family; empty if there is none."""
    family = recipe.partition("-")[0]
    published = [name for name, info in list_recipes().items() if info.reference]
    others = [n for n in published if n.startswith(f"{family}-") and n != recipe]
    layers = [name for name in others if name in (f"{family}-gru", f"{family}-lstm")]
    return (layers or others or [""])[0]


def _find_use(run: Run, name: str) -> str:
    """Return the command that uses the model of a run; empty if there is none."""
    if {WritingConfig, VowelsConfig} & set(list_parts(run)):
        return f"Write:   make generate RUN={name}"
    try:
        predictor = find_predictor(run)
        predictor.check(run)
    except UserError:
        return ""
    text = ' TEXT="..."' if predictor.reads_text else ""
    return f"Predict: make predict RUN={name}{text}"
