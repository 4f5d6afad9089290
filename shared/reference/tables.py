"""`results/README.md`: every reference run in one table, made from committed files."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from shared.groups import Group
from shared.help import list_recipes
from shared.reference.plan import Experiment, list_experiments
from shared.reference.record import Reference, list_values, measure_seconds
from shared.rows import summarise
from shared.tables import spell, spell_metric

KNOWN = Path(__file__).with_name("known.csv")
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
<!-- Made by make reference; make reference-tables writes it anew. -->
# Reference runs

Every recipe at its defaults, and with the flags that a [claim](CLAIMS.md) needs. The
epoch is chosen on the validation part; the test part is scored once, with its weights.
Scores are mean ± standard deviation over n seeds. Seconds per epoch: median of the
epochs after the first; a star where other runs of the same folder trained beside, which
is the only load that is known. Best simple model: the bar that is best on validation.
Whether a network beats it stands below, recipe by recipe. The older tables in
`reference/` belong to the README of the project.
"""
PARTS = ("validation", "test")
MISSING = "*not run yet*"
COLUMNS = ("recipe", "what it changes", "parameters", "best simple model, test",
           "best validation", "test", "n", "s/epoch", "published")  # fmt: skip


def spell_tables(reference: Reference) -> str:
    """Return the page as Markdown; the same for the same files."""
    experiments = list_experiments()
    lines = [HEAD]
    left = list(experiments)
    for title, starts in FAMILIES.items():
        members = [e for e in left if e.recipe.startswith(starts)]
        left = [e for e in left if e not in members]
        lines += [f"## {title}\n", _spell_units(reference, members)]
        lines += [_row(COLUMNS), _row(["---"] * len(COLUMNS))]
        lines += [_row(list_cells(reference, e)) for e in members]
        lines.append("")
    lines += [f"Published: {SOURCES}\n"]
    lines += ["## Recipe by recipe\n"]
    for recipe, question in list_recipes().items():
        members = [e for e in experiments if e.recipe == recipe]
        lines += _describe(reference, recipe, question, members)
    return "\n".join(lines).rstrip() + "\n"


def list_cells(reference: Reference, experiment: Experiment) -> list[str]:
    """Return the row of an experiment."""
    known = read_known().get(experiment.label, {"changes": "", "published": ""})
    name = f"`{' '.join(filter(None, [experiment.recipe, experiment.flags]))}`"
    changes = known["changes"] or "the flag"
    group = reference.groups.get(experiment.label)
    if group is None:
        return [name, changes, "", "", MISSING, "", "0", "", known["published"]]
    row = summarise(group)
    bar = find_best_bar(group)
    return [
        name,
        changes,
        f"{row['parameters']:,}",
        f"{bar['name']}: {spell(bar['test'])}" if bar else "",
        _spread(row, "best_val"),
        _spread(row, "test_best"),
        str(row["runs"]),
        _spell_seconds(group),
        known["published"],
    ]


def find_best_bar(group: Group) -> dict[str, Any] | None:
    """Return name and mean test score of the simple model best on validation."""
    score = group.runs[0].summary["score"]
    found: dict[str, list[tuple[float, float]]] = {}
    for run in group.runs:
        for bar in run.summary["bars"]:
            values = tuple(bar[part].get(score["metric"]) for part in PARTS)
            if not bar.get("is_floor") and None not in values:
                found.setdefault(bar["name"], []).append(values)
    means = {
        name: [statistics.fmean(column) for column in zip(*values, strict=True)]
        for name, values in found.items()
    }
    if not means:
        return None
    choose = max if score["higher_is_better"] else min
    name = choose(means, key=lambda bar: means[bar][0])
    return {"name": name, "test": means[name][1]}


@cache
def read_known() -> dict[str, dict[str, str]]:
    """Return label -> what an experiment changes, and published figures."""
    with KNOWN.open(encoding="utf-8", newline="") as file:
        return {row["label"]: row for row in csv.DictReader(file)}


def spell_environments(groups: Sequence[Group]) -> list[str]:
    """Return a line for every machine, set of versions and commit of some runs."""
    told = []
    for group in groups:
        for run in group.runs:
            device, versions = run.config["device"], run.config["versions"]
            code = run.config["code"]
            gpus = " + ".join(device["gpus"]) or "no GPU"
            packages = ", ".join(f"{k} {v}" for k, v in versions.items())
            commit = (code["commit"] or "unknown")[:7]
            commit += " with changes not committed" if code["changed"] else ""
            threads = device["threads_asked"] or "all"
            told.append(
                f"{device['machine']}, {device['cpu']}, {device['cores']} cores "
                f"(threads: {threads}), {gpus}; {packages}; commit {commit}"
            )
    return list(dict.fromkeys(told))


def _describe(
    reference: Reference,
    recipe: str,
    question: str,
    members: Sequence[Experiment],
) -> list[str]:
    lines = [f"### {recipe}\n", f"{question}\n"]
    groups = [g for e in members if (g := reference.groups.get(e.label)) is not None]
    for experiment in members:
        group = reference.groups.get(experiment.label)
        if group is None:
            flags = f' ARGS="{experiment.flags}"' if experiment.flags else ""
            lines.append(f"- `make {recipe}{flags}`: not run yet.")
            continue
        seeds = " ".join(str(run.seed) for run in group.runs)
        command = group.runs[0].config["command"]
        lines.append(f"- on {group.data}, seeds {seeds}, the first by `{command}`")
        if row := reference.find_bar(experiment.label):
            lines.append(f"  - {row['sentence']}")
    lines += [f"- {told}" for told in spell_environments(groups)]
    lines.append("")
    picture = Path(reference.folder.name) / recipe / "curves.png"
    if groups and (reference.folder / recipe / "curves.png").is_file():
        lines.append(f"![Validation curves of {recipe}]({picture.as_posix()})\n")
    return lines


def _spell_units(reference: Reference, members: Sequence[Experiment]) -> str:
    """Say on which data what is scored."""
    told = []
    for experiment in members:
        if group := reference.groups.get(experiment.label):
            told.append(f"{group.data}: {spell_metric(group.runs[0])}")
    return f"{'; '.join(dict.fromkeys(told))}.\n" if told else "Nothing is run yet.\n"


def _spell_seconds(group: Group) -> str:
    values = list_values(group, measure_seconds)
    loaded = any(
        run.config.get("published", {}).get("beside", 0) > 0 for run in group.runs
    )
    return f"{statistics.median(values.values()):.1f}{'*' if loaded else ''}"


def _spread(row: dict[str, Any], name: str) -> str:
    mean, deviation = row[f"{name}_mean"], row[f"{name}_sd"]
    return spell(mean) + (f" ± {spell(deviation)}" if deviation is not None else "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
