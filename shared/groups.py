"""Which runs are meant, and which are repeats of one experiment."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import UserError, spell_flag, spell_value
from shared.runs import Run, find_runs, read_run

# Flags that two runs may differ in and still be repeats of one experiment.
NO_EXPERIMENT = {"seed", "data", "data_dir", "limit", "steps_per_execution"}
# Settings that say which examples train, choose the epoch and test; with them all that
# begin with the name of a part, such as `train_points`.
SPLIT_SETTINGS = ("validation_share", "train_share", "stride", "phase")
PARTS = ("train_", "validation_", "test_")
# Settings of the data, which decide what the bars read.
BAR_SETTINGS = (
    "vocabulary", "length", "keep", "validation_share",  # reviews
    "lookback", "sampling", "delay", "target", "train_share", "stride", "max_gap",
    "skip_columns", "calendar",  # weather
    "frequency", "time_step", "noise", "phase", "points", "train_points",
    "validation_points", "test_points",  # sine
    "order", "source_seed", "concentration", "train_vowels", "validation_vowels",
    "test_vowels",  # vowels
    "steps", "features", "train_windows", "validation_windows", "test_windows",  # sums
    "task", "lag", "symbols", "delays", "train_sequences", "validation_sequences",
    "test_sequences",  # memory
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Runs of one experiment: same recipe, flags and data, different seeds.

    Attributes:
        label: The recipe and the flags that differ from its defaults.
        data: Name of the data set, with content or split where names alone would not
            tell two apart; different ones are never compared.
        runs: One run per seed, in order of seed.
    """

    label: str
    data: str
    runs: list[Run]


def choose_runs(names: Iterable[str], root: Path) -> tuple[list[Run], list[str]]:
    """Return the runs meant by recipe names and run folders, oldest first.

    Of a recipe's runs, those that did not finish are left out, and of one seed's
    repeats all but the newest; a run named by its folder is always in.

    Args:
        names: Recipe names, or paths of run folders; empty means all recipes.
        root: Folder of all runs.

    Returns:
        Runs with at least one epoch, and a sentence for what was left out.

    Raises:
        UserError: If a name means nothing, or nothing is left to compare.
    """
    named: list[Run] = []
    found: list[Run] = []
    unfinished = 0
    for name in list(names) or [None]:
        if name is not None and (Path(name) / "summary.json").is_file():
            named.append(_read_named(name))
            continue
        recipe = name and Path(name).name.replace("_", "-")
        runs = find_runs(root, recipe) if recipe is None or is_name(recipe) else []
        if not runs:
            raise UserError(explain_missing(name, root))
        finished = [run for run in runs if run.state == "finished" and run.history]
        unfinished += len(runs) - len(finished)
        if name is not None and not finished:
            raise UserError(
                f"{name}: none of its {len(runs)} runs has finished; run make "
                f"{recipe}, or name a run folder."
            )
        found += finished
    chosen = {run.path.resolve(): run for run in [*keep_newest(found), *named]}
    if not chosen:
        raise UserError(f"No run below {root} has finished; run a recipe to its end.")
    notes = []
    if unfinished:
        notes.append(f"Left out: {unfinished} that did not finish (name its folder).")
    if repeats := len({run.path.resolve() for run in found} - set(chosen)):
        notes.append(f"Left out: {repeats} older repeats of a seed (name its folder).")
    return _by_age(chosen.values()), notes


def keep_newest(runs: Iterable[Run]) -> list[Run]:
    """Return of every experiment and seed the newest run, oldest first."""
    runs = _by_age(runs)
    keys = _list_experiments(runs)
    newest = {(key, run.seed): run for key, run in zip(keys, runs, strict=True)}
    return _by_age(newest.values())


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Put the seeds of one experiment together, in order of data set and label.

    A run that did not finish, or that repeats a seed, is a group of its own.
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


def list_bars(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return the bars of groups on one data set, averaged over the seeds' splits.

    Bars read what the network reads, so they differ where groups read different words
    (another `--length`, say), and then name the group they belong to.

    Args:
        groups: At least one, all on one data set.
    """
    found: dict[tuple, dict[int, dict[str, Any]]] = {}  # (name, reads): seed -> bar
    owners: dict[tuple, str] = {}
    for group in groups:
        for run in group.runs:
            settings = run.config["settings"]
            reads = tuple((name, str(settings.get(name))) for name in BAR_SETTINGS)
            for bar in run.summary["bars"]:
                found.setdefault((bar["name"], reads), {}).setdefault(run.seed, bar)
                owners.setdefault((bar["name"], reads), group.label)
    times = Counter(name for name, _ in found)
    return [
        {
            "name": name if times[name] == 1 else f"{name} ({owners[name, reads]})",
            "is_floor": next(iter(bars.values())).get("is_floor", False),
        }
        | {
            part: _average([bar[part] for bar in bars.values()])
            for part in ("validation", "test")
        }
        for (name, reads), bars in found.items()
    ]


def _list_experiments(runs: Sequence[Run]) -> list[tuple]:
    """Return for each run all that seeds of one experiment share.

    A flag that some runs of a recipe are too old to know counts only where it was
    changed: a new flag changes nothing by default.
    """
    known: dict[str, set[str]] = {}
    for run in runs:
        names = set(run.config["settings"])
        known[run.recipe] = known.get(run.recipe, names) & names
    experiments = []
    for run in runs:
        settings = run.config["settings"]
        names = (known[run.recipe] | set(run.config["changed"])) - NO_EXPERIMENT
        flags = sorted((k, str(v)) for k, v in settings.items() if k in names)
        split = [f for f in flags if f[0] in SPLIT_SETTINGS or f[0].startswith(PARTS)]
        key = (run.data, run.data_hash, tuple(split), run.recipe, tuple(flags))
        experiments.append(key)
    return experiments


def _by_age(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: run.path.name)


def _read_named(name: str) -> Run:
    try:
        run = read_run(Path(name))
    except ValueError as error:
        raise UserError(f"{error}; name another.") from None
    if not run.history:
        raise UserError(f"{name}: holds no epoch yet; name another run.")
    return run


def _name_data(keys: Iterable[tuple]) -> dict[tuple, str]:
    """Name data sets; those of one name get content or split where these differ.

    Args:
        keys: Name, SHA-256 and split of each.
    """
    keys = set(keys)
    names = {}
    for name, sha256, split in keys:
        alike = [other for other in keys if other[0] == name]
        marks = [sha256[:8]] if len({other[1] for other in alike}) > 1 else []
        marks += [
            f"{spell_flag(flag)} {value}"
            for flag, value in split
            if any((flag, value) not in other[2] for other in alike)
        ]
        names[name, sha256, split] = f"{name} ({', '.join(marks)})" if marks else name
    return names


def _label(seeds: dict[int, Run]) -> str:
    """Return the recipe, the flags that differ from its defaults, and the state."""
    run = next(iter(seeds.values()))
    flags = [
        spell_value(name, value)
        for name, value in run.config.get("changed", {}).items()
        if name not in NO_EXPERIMENT
    ]
    state = [] if run.state == "finished" else [f"({run.state})"]
    return " ".join([run.recipe, *flags, *state])


def _average(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    return {
        name: statistics.fmean(score[name] for score in scores) for name in scores[0]
    }


def is_name(text: str) -> bool:
    """Return whether a text can be the name of a recipe."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", text) is not None


def explain_missing(name: str | None, root: Path) -> str:
    """Say that a name means no run, or that there is none at all, and what to do."""
    known = sorted({run.recipe for run in find_runs(root)})
    there = f"there are runs of: {', '.join(known)}" if known else "there is no run yet"
    if name is None:
        return f"No run below {root}; start with make imdb-gru."
    return f"{name}: no such run folder, and no runs of a recipe of that name; {there}."
