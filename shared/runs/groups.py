"""Runs found by name, and runs grouped into repeats of one experiment."""

from __future__ import annotations

import fnmatch
import glob
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.core.errors import UserError, format_flag, format_value
from shared.core.roles import READ_BY_BASELINES, REPEATS, Role
from shared.core.text import shorten
from shared.runs.reader import (
    Found,
    Run,
    find_runs,
    is_run_folder,
    read_run,
    scan_runs,
)


@dataclass(frozen=True)
class Group:
    """Runs of one experiment: same recipe, flags and data, different seeds.

    Attributes:
        label: The recipe and the flags that differ from its defaults.
        data: Name of the data set. Hash or split follow where the name alone is
            ambiguous. Groups on different data sets are never compared.
        runs: One run per seed, in order of seed.
    """

    label: str
    data: str
    runs: list[Run]


def choose_runs(names: Iterable[str], root: Path) -> tuple[list[Run], list[str]]:
    """Return the runs that recipe names and run folders name, oldest first.

    A recipe name means its finished runs, and for the newest one of each seed. A
    run named by its folder is always included.

    Args:
        names: Recipe names, or paths of run folders; `*`, `?` and `[...]` match. Empty
            means all recipes.
        root: Folder of all runs.

    Returns:
        Runs with at least one epoch, and a sentence for each kind left out and for
        each folder that cannot be read.

    Raises:
        UserError: If a name matches nothing, or no run is left to compare.
    """
    named: list[Run] = []
    found: list[Run] = []
    unfinished = 0
    unreadable: dict[Path, str] = {}
    for name in expand_globs(names, root) or [None]:
        if name is not None and is_run_folder(Path(name)):
            named.append(_read_named(name))
            continue
        scanned = find_named(name, root)
        runs = scanned.runs
        unreadable |= scanned.unreadable
        finished = [run for run in runs if run.state == "finished" and run.history]
        unfinished += len(runs) - len(finished)
        if name is not None and not finished:
            raise UserError(
                f"{name}: none of its {len(runs)} runs has finished. Run make "
                f"{_name_recipe(name)}, or name a run folder."
            )
        found += finished
    chosen = {run.place: run for run in [*keep_newest(found), *named]}
    if not chosen:
        raise UserError(f"No run in {root} has finished. Run a recipe to its end.")
    notes = []
    if unfinished:
        notes.append(f"Left out: {unfinished} that did not finish (name its folder).")
    if repeats := len({run.place for run in found} - set(chosen)):
        notes.append(f"Left out: {repeats} older repeats of a seed (name its folder).")
    return _by_age(chosen.values()), notes + Found([], unreadable).describe()


def expand_globs(names: Iterable[str], root: Path) -> list[str]:
    """Return names with each pattern replaced by what it matches.

    A pattern is of folders, such as `results/runs/imdb-gru/*-seed?`, or of recipes that
    have runs, such as `imdb-*`.

    Raises:
        UserError: If a pattern matches nothing.
    """
    expanded = []
    for name in names:
        if not glob.has_magic(name) or Path(name).exists():
            expanded.append(name)
            continue
        # Path.glob takes no pattern that starts at the root.
        folders = [p for p in glob.glob(name) if is_run_folder(Path(p))]  # noqa: PTH207
        recipes = [path.name for path in root.glob("*/") if path.is_dir()]
        found = folders or fnmatch.filter(recipes, name)
        if not found:
            known = ", ".join(sorted(recipes)) or "none"
            raise UserError(
                f"{shorten(name)}: matches no run folder and no recipe with runs in "
                f"{root} (there are: {known})."
            )
        expanded += sorted(found)
    return expanded


def find_named(name: str | None, root: Path) -> Found:
    """Return all runs of a recipe, or of all recipes.

    Args:
        name: Name or folder of a recipe; None means all recipes.
        root: Folder of all runs.

    Raises:
        UserError: If there is none that can be read.
    """
    recipe = None if name is None else _name_recipe(name)
    known = recipe is None or is_name(recipe)
    found = scan_runs(root, recipe) if known else Found([], {})
    if not found.runs:
        raise UserError(explain_missing(name, root, found))
    return found


def keep_newest(runs: Iterable[Run]) -> list[Run]:
    """Return the newest run of every experiment and seed, oldest first."""
    runs = _by_age(runs)
    keys = _list_experiments(runs)
    newest = {(key, run.seed): run for key, run in zip(keys, runs, strict=True)}
    return _by_age(newest.values())


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Group the seeds of each experiment; sort by data set and label.

    A run that did not finish, or that repeats a seed, is a separate group.
    """
    groups: dict[tuple, dict[int, Run]] = {}
    runs = list(runs)
    for experiment, run in zip(_list_experiments(runs), runs, strict=True):
        key = (*experiment, run.state, "")
        if run.seed in groups.get(key, {}) or run.state != "finished":
            key = (*key[:-1], run.path.name)
        groups.setdefault(key, {})[run.seed] = run
    names = _name_data(key[:3] for key in groups)
    made = [
        Group(
            " ".join([_label(seeds), key[-1]]).strip(),
            names[key[:3]],
            [seeds[seed] for seed in sorted(seeds)],
        )
        for key, seeds in groups.items()
    ]
    return sorted(made, key=lambda group: (group.data, group.label))


def list_baselines(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return the baselines of groups on one data set, averaged over the seeds.

    Groups that differ in a flag of the data or of the split have different baselines.
    Their names then end with the label of the group.

    Args:
        groups: At least one, all on one data set.
    """
    found: dict[tuple, dict[int, dict[str, Any]]] = {}  # (name, reads) -> by seed
    owners: dict[tuple, str] = {}
    for group in groups:
        for run in group.runs:
            names = run.list_names(*READ_BY_BASELINES)
            reads = tuple(flag for flag in run.flags if flag[0] in names)
            for baseline in run.summary["baselines"]:
                key = (baseline["name"], reads)
                found.setdefault(key, {}).setdefault(run.seed, baseline)
                owners.setdefault(key, group.label)
    times = Counter(name for name, _ in found)
    return [
        {
            "name": name if times[name] == 1 else f"{name} ({owners[name, reads]})",
            "is_best_achievable": next(iter(seeds.values())).get(
                "is_best_achievable", False
            ),
        }
        | {
            part: _average([one[part] for one in seeds.values()])
            for part in ("validation", "test")
        }
        for (name, reads), seeds in found.items()
    ]


def _list_experiments(runs: Sequence[Run]) -> list[tuple]:
    """Return a key for each run; all seeds of one experiment have the same key.

    Some runs of a recipe may be older than one of its flags. Such a flag counts only
    where it was changed, because the default of a new flag changes nothing.
    """
    known: dict[str, set[str]] = {}
    for run in runs:
        known.setdefault(run.recipe, set(run.settings)).intersection_update(
            run.settings
        )
    experiments = []
    for run in runs:
        names = known[run.recipe].union(run.config["changed"])
        names -= run.list_names(*REPEATS)
        flags = tuple(flag for flag in run.flags if flag[0] in names)
        splits = run.list_names(Role.SPLIT)
        split = tuple(flag for flag in flags if flag[0] in splits)
        key = (run.data, run.data_hash, split, run.recipe, flags)
        experiments.append(key)
    return experiments


def _by_age(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: run.path.name)


def _read_named(name: str) -> Run:
    run = read_run(Path(name))
    if not run.history:
        raise UserError(f"{name}: holds no epoch yet. Name another run.")
    return run


def _name_data(keys: Iterable[tuple]) -> dict[tuple, str]:
    """Return a name for each data set, with hash or split where names are equal.

    Args:
        keys: Name, SHA-256 and split of each.
    """
    keys = set(keys)
    names = {}
    for name, sha256, split in keys:
        alike = [other for other in keys if other[0] == name]
        marks = [sha256[:8]] if len({other[1] for other in alike}) > 1 else []
        marks += [
            f"{format_flag(flag)} {value}"
            for flag, value in split
            if any((flag, value) not in other[2] for other in alike)
        ]
        names[name, sha256, split] = f"{name} ({', '.join(marks)})" if marks else name
    return names


def _label(seeds: dict[int, Run]) -> str:
    """Return the recipe, the flags that differ from its defaults, and the state."""
    run = next(iter(seeds.values()))
    flags = [
        format_value(name, value)
        for name, value in run.config.get("changed", {}).items()
        if name not in run.list_names(*REPEATS)
    ]
    state = [] if run.state == "finished" else [f"({run.state})"]
    return " ".join([run.recipe, *flags, *state])


def _average(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    names = [n for n in scores[0] if all(s.get(n) is not None for s in scores)]
    return {name: statistics.fmean(score[name] for score in scores) for name in names}


def is_name(text: str) -> bool:
    """Return whether a text is a possible name of a recipe."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", text) is not None


def explain_missing(name: str | None, root: Path, found: Found | None = None) -> str:
    """Return the error for a name without runs, or for a folder without any run.

    Args:
        name: Name or folder of a recipe; None means all recipes.
        root: Folder of all runs.
        found: The folders of that recipe that cannot be read.
    """
    if found and found.unreadable:
        who = root if name is None else name
        first = found.describe()[0]
        count = len(found.unreadable)
        return f"{who}: none of its {count} run folders can be read. {first}"
    if name is None:
        return f"No run in {root}. Start with make imdb-gru."
    known = sorted({run.recipe for run in find_runs(root)})
    runs = f"There are runs of: {', '.join(known)}" if known else "There is no run yet"
    return f"{name}: no such run folder, and no runs of a recipe of that name. {runs}."


def _name_recipe(name: str) -> str:
    return Path(name).name.replace("_", "-")
