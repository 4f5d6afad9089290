"""Which runs are meant, and which are repeats of one experiment."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import UserError, spell_flag
from shared.runs import Run, find_runs, read_run

# Flags that two runs may differ in and still be repeats of one experiment.
NO_EXPERIMENT = {"seed", "data", "data_dir", "limit"}
SAME_BAR = 0.01  # bars this close differ by their seeds only


@dataclass(frozen=True)
class Group:
    """Runs of one experiment: same recipe, flags and data, different seeds.

    Attributes:
        label: The recipe and the flags that differ from its defaults.
        data: Name of the data set.
        runs: One run per seed, in order of seed.
    """

    label: str
    data: str
    runs: list[Run]

    @property
    def bars(self) -> list[dict[str, Any]]:
        """The simple models' scores, averaged over the runs' splits."""
        bars = [run.summary["bars"] for run in self.runs]
        return [
            {"name": same[0]["name"]}
            | {
                part: _average([bar[part] for bar in same])
                for part in ("validation", "test")
            }
            for same in zip(*bars, strict=False)
        ]


def choose_runs(names: Iterable[str], root: Path) -> tuple[list[Run], list[str]]:
    """Return the runs meant by recipe names and run folders.

    Runs that did not finish are left out, unless named by their folder.

    Args:
        names: Recipe names, or paths of run folders; empty means all recipes.
        root: Folder of all runs.

    Returns:
        Runs with at least one epoch, and a sentence for what was left out.

    Raises:
        UserError: If a name means nothing, or nothing is left to compare.
    """
    names = list(names)
    chosen: dict[Path, Run] = {}
    unfinished = 0
    for name in names or [None]:
        if name is not None and (Path(name) / "summary.json").is_file():
            try:
                run = read_run(Path(name))
            except ValueError as error:
                raise UserError(f"{error}; name another.") from None
            if not run.history:
                raise UserError(f"{name}: holds no epoch yet; name another run.")
            chosen[run.path.resolve()] = run
            continue
        recipe = name and name.strip("/").replace("_", "-")
        found = find_runs(root, recipe) if recipe is None or _is_name(recipe) else []
        if not found:
            raise UserError(_no_runs(name, root))
        finished = [run for run in found if run.state == "finished" and run.history]
        unfinished += len(found) - len(finished)
        if name is not None and not finished:
            raise UserError(
                f"{name}: none of its {len(found)} runs has finished; run make "
                f"{recipe}, or name a run folder."
            )
        chosen |= {run.path.resolve(): run for run in finished}
    if not chosen:
        raise UserError(f"No run below {root} has finished; run a recipe to its end.")
    notes = []
    if unfinished:
        notes.append(
            f"Left out: {unfinished} that did not finish (name one by its folder)."
        )
    return list(chosen.values()), notes


def group_runs(runs: Iterable[Run]) -> tuple[list[Group], list[str]]:
    """Put repeats of one experiment together, one run per seed.

    Returns:
        Groups in order of recipe, and a sentence if older repeats were left out.
    """
    groups: dict[tuple, dict[tuple, Run]] = {}
    repeats = 0
    for run in runs:
        settings = run.config["settings"]
        experiment = sorted(
            (k, str(v)) for k, v in settings.items() if k not in NO_EXPERIMENT
        )
        key = (run.data, run.data_hash, run.recipe, tuple(experiment))
        seeds = groups.setdefault(key, {})
        state = (run.seed, run.state != "finished")
        repeats += state in seeds
        seeds[state] = run  # runs come oldest first: the newest stays
    names = _name_data(key[:2] for key in groups)
    made = [
        Group(
            _label(list(seeds.values())),
            names[key[:2]],
            [seeds[state] for state in sorted(seeds)],
        )
        for key, seeds in groups.items()
    ]
    notes = [f"Left out: {repeats} older repeats of the same seed."] if repeats else []
    return sorted(made, key=lambda group: (group.data, group.label)), notes


def list_bars(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return the bars of groups on one data set, each different one once.

    Bars read what the network reads, so they differ where groups read different words
    (another `--length`, say), and then name the group they belong to. Seeds move them
    by a few tenths of a point; that is no difference.

    Args:
        groups: At least one, all on one data set.
    """
    bars = list(groups[0].bars)
    for group in groups[1:]:
        for bar in group.bars:
            if not any(_is_same_bar(bar, known) for known in bars):
                bars.append(bar | {"name": f"{bar['name']} ({group.label})"})
    return bars


def _name_data(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Name data sets; files of one name but different content get their hash."""
    keys = set(keys)
    contents = Counter(name for name, _ in keys)
    return {
        (name, sha256): name if contents[name] == 1 else f"{name} ({sha256[:8]})"
        for name, sha256 in keys
    }


def _is_same_bar(bar: dict[str, Any], known: dict[str, Any]) -> bool:
    return known["name"].startswith(bar["name"]) and all(
        abs(value - known[part].get(metric, math.inf)) < SAME_BAR
        for part in ("validation", "test")
        for metric, value in bar[part].items()
        if metric != "loss"
    )


def _label(runs: Sequence[Run]) -> str:
    """Return the recipe and the flags that differ from its defaults."""
    run = runs[0]
    changed = run.config.get("changed", {})
    flags = [
        f"{spell_flag(name)} {value}"
        for name, value in changed.items()
        if name not in NO_EXPERIMENT
    ]
    states = {other.state for other in runs} - {"finished"}
    marks = [f"({state})" for state in sorted(states)]
    return " ".join([run.recipe, *flags, *marks])


def _average(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    return {
        name: statistics.fmean(score[name] for score in scores) for name in scores[0]
    }


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", text) is not None


def _no_runs(name: str | None, root: Path) -> str:
    known = sorted({run.recipe for run in find_runs(root)})
    there = f"there are runs of: {', '.join(known)}" if known else "there is no run yet"
    if name is None:
        return f"No run below {root}; start with make imdb-gru."
    return f"{name}: no such run folder, and no runs of a recipe of that name; {there}."
