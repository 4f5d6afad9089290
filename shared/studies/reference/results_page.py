"""`results/README.md`: a table of all reference runs, from committed files only."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from shared.compare.tables import summarise
from shared.core.recipes import list_recipes
from shared.runs.epoch_seconds import measure_seconds
from shared.runs.groups import Group
from shared.runs.terminal import format_score
from shared.studies.reference.experiments import Experiment, list_experiments
from shared.studies.reference.published import Reference, list_values

FIGURES = Path(__file__).with_name("published_figures.csv")
FAMILIES = {
    "Film reviews": ("imdb",),
    "Weather": ("weather",),
    "Generated tasks": ("",),
}
SOURCES = """\
[a] Deep Learning with Python, first edition, stored outputs, one run each; of the
weather the best validation MAE on the eight-year file, in standard deviations (the
value of 24 hours ago: .290). [b] The same script on today's Keras and the file used
here, one seed. [c] Dai & Le 2015. [d] Deep Learning with Python, third edition; of the
weather on the eight-year file (the value of 24 hours ago: 2.62). [e] Bai et al. 2018,
adding problem."""
HEAD = """\
<!-- Made by make reference; make reference-tables writes it again. -->
# Reference runs

Every recipe at its defaults, and with the flags that a [claim](CLAIMS.md) needs. The
validation part chooses the epoch. The test part is scored once, with the weights of
that epoch. Scores are mean ± standard deviation over n seeds. Seconds per epoch: median
of the epochs after the first, then of the seeds. A star means that other runs of the
same folder trained at the same time, here on the other core; no other load is known.
So these seconds do not show what a technique gains: alone on a machine, bucketed
batches are 1.8 times faster than fixed ones ([docs/kernels.md](../docs/kernels.md)).
Best simple model: the baseline that is best
on validation. The section of each recipe says whether the network beats it. The older
tables in `reference/` belong to [docs/results.md](../docs/results.md).
"""
PARTS = ("validation", "test")
MISSING = "*not run yet*"
COLUMNS = ("recipe", "what it changes", "parameters", "best simple model, test",
           "best validation", "test", "n", "s/epoch", "published")  # fmt: skip


def format_tables(reference: Reference) -> str:
    """Return the page as Markdown; equal files give an equal page."""
    experiments = list_experiments()
    lines = [HEAD]
    left = list(experiments)
    for title, starts in FAMILIES.items():
        chosen = [e for e in left if e.recipe.startswith(starts)]
        left = [e for e in left if e not in chosen]
        lines += [f"## {title}\n", _format_units(reference, chosen)]
        lines += [_row(COLUMNS), _row(["---"] * len(COLUMNS))]
        lines += [_row(list_cells(reference, e)) for e in chosen]
        lines.append("")
    lines += [f"Published: {SOURCES}\n"]
    lines += ["## Recipe by recipe\n"]
    for name, recipe in list_recipes().items():
        if chosen := [e for e in experiments if e.recipe == name]:
            lines += _describe(reference, name, recipe.question, chosen)
    return "\n".join(lines).rstrip() + "\n"


def list_cells(reference: Reference, experiment: Experiment) -> list[str]:
    """Return the row of an experiment."""
    published = read_published_figures().get(experiment.label, "")
    name = f"`{' '.join(filter(None, [experiment.recipe, experiment.flags]))}`"
    recipe = list_recipes()[experiment.recipe]
    changes = "the flag" if experiment.changes else recipe.varies
    group = reference.groups.get(experiment.label)
    if group is None:
        return [name, changes, "", "", MISSING, "", "0", "", published]
    row = summarise(group)
    baseline = find_best_baseline(group)
    return [
        name,
        changes,
        f"{row['parameters']:,}",
        f"{baseline['name']}: {format_score(baseline['test'])}" if baseline else "",
        _format_mean(row, "best_val"),
        _format_mean(row, "test_best"),
        str(row["runs"]),
        _format_seconds(group),
        published,
    ]


def find_best_baseline(group: Group) -> dict[str, Any] | None:
    """Return the simple model that is best on validation, with its mean test score."""
    score = group.runs[0].score
    found: dict[str, list[tuple[float, float]]] = {}
    for run in group.runs:
        for baseline in run.summary["baselines"]:
            values = tuple(baseline[part].get(score.metric) for part in PARTS)
            if not baseline.get("is_best_achievable") and None not in values:
                found.setdefault(baseline["name"], []).append(values)
    means = {
        name: [statistics.fmean(column) for column in zip(*values, strict=True)]
        for name, values in found.items()
    }
    if not means:
        return None
    name = max(means, key=lambda baseline: score.sign * means[baseline][0])
    return {"name": name, "test": means[name][1]}


@cache
def read_published_figures() -> dict[str, str]:
    """Return label of an experiment -> figures published by others."""
    with FIGURES.open(encoding="utf-8", newline="") as file:
        return {row["label"]: row["published"] for row in csv.DictReader(file)}


def format_environments(groups: Sequence[Group]) -> list[str]:
    """Return a line for every machine, set of versions and commit of some runs."""
    lines = []
    for group in groups:
        for run in group.runs:
            device, versions = run.config["device"], run.config["versions"]
            code = run.config["code"]
            gpus = " + ".join(device["gpus"]) or "no GPU"
            packages = ", ".join(f"{k} {v}" for k, v in versions.items())
            commit = (code["commit"] or "unknown")[:7]
            commit += " with changes not committed" if code["changed"] else ""
            threads = device["threads_asked"] or "all"
            lines.append(
                f"{device['machine']}, {device['cpu']}, {device['cores']} cores "
                f"(threads: {threads}), {gpus}; {packages}; commit {commit}"
            )
    return list(dict.fromkeys(lines))


def _describe(
    reference: Reference,
    recipe: str,
    question: str,
    chosen: Sequence[Experiment],
) -> list[str]:
    lines = [f"### {recipe}\n", f"{question}\n"]
    groups = [g for e in chosen if (g := reference.groups.get(e.label)) is not None]
    for experiment in chosen:
        group = reference.groups.get(experiment.label)
        if group is None:
            flags = f' ARGS="{experiment.flags}"' if experiment.flags else ""
            lines.append(f"- `make {recipe}{flags}`: not run yet.")
            continue
        seeds = " ".join(str(run.seed) for run in group.runs)
        command = group.runs[0].config["command"]
        lines.append(f"- on {group.data}, seeds {seeds}, the first by `{command}`")
        if row := reference.find_baseline(experiment.label):
            lines.append(f"  - {row['sentence']}")
    lines += [f"- {text}" for text in format_environments(groups)]
    lines.append("")
    picture = Path(reference.folder.name) / recipe / "curves.png"
    if groups and (reference.folder / recipe / "curves.png").is_file():
        lines.append(f"![Validation curves of {recipe}]({picture.as_posix()})\n")
    return lines


def _format_units(reference: Reference, chosen: Sequence[Experiment]) -> str:
    """Return each data set with its score."""
    scores = []
    for experiment in chosen:
        if group := reference.groups.get(experiment.label):
            scores.append(f"{group.data}: {group.runs[0].score.title}")
    if not scores:
        return "Nothing is run yet.\n"
    return f"{'; '.join(dict.fromkeys(scores))}.\n"


def _format_seconds(group: Group) -> str:
    values = list_values(group, measure_seconds)
    loaded = any(
        run.config.get("published", {}).get("beside", 0) > 0 for run in group.runs
    )
    return f"{statistics.median(values.values()):.1f}{'*' if loaded else ''}"


def _format_mean(row: dict[str, Any], name: str) -> str:
    mean, deviation = row[f"{name}_mean"], row[f"{name}_sd"]
    return format_score(mean) + (
        f" ± {format_score(deviation)}" if deviation is not None else ""
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
