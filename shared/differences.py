"""What differs between two groups of runs, and which of it can move numbers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from shared.environment import PROJECT
from shared.errors import spell_flag
from shared.groups import Group
from shared.runs import Run, spell_kernels

# How it is computed: moves the last digits, or draws other random numbers, but not
# what is to be expected.
COMPUTING = {
    "kernel", "implementation", "cudnn", "jit", "unroll", "steps_per_execution",
    "data_dir",
}  # fmt: skip
# The seed is what is averaged over; the name of the data set tells the others.
TOLD_ELSEWHERE = {"seed", "data", "limit"}
FOLLOWS = {"mask": "batching"}  # setting: another that decides it
MOVING_VERSIONS = ("keras", "tensorflow")
FEW = 4
DEVICE = ("machine", "cpu", "cores", "gpus", "threads_asked", "onednn")


@dataclass(frozen=True)
class Differences:
    """What differs between two groups, in words.

    Attributes:
        moving: Factors that can move numbers.
        still: What can move the last digits and the time only.
        lacking: Settings that only one of the two has.
        unknown: What cannot be told.
    """

    moving: list[str]
    still: list[str]
    lacking: list[str]
    unknown: list[str]

    def spell(self) -> list[str]:
        """Return a sentence for each kind, and what follows from it."""
        told = []
        if self.moving:
            told.append(f"Differs: {'; '.join(self.moving)}.")
        if self.lacking:
            told.append(f"{'; '.join(self.lacking)}.")
        if self.still:
            told.append(f"Moves time and last digits only: {'; '.join(self.still)}.")
        told += self.unknown
        if len(self.moving) > 1:
            names = ", ".join(factor.split(" (")[0] for factor in self.moving)
            told.append(
                f"More than one factor differs ({names}): the difference cannot be "
                "put down to one of them."
            )
        if not self.moving:
            told.append("Nothing that is known to move numbers differs.")
        return told


def find_differences(first: Group, second: Group) -> Differences:
    """Compare what stands in the run folders of two groups on the same data."""
    one, other = (group.runs[0].config["settings"] for group in (first, second))
    moving, still = [], []
    if first.runs[0].recipe != second.runs[0].recipe:
        moving.append(f"recipe ({first.runs[0].recipe} / {second.runs[0].recipe})")
    shared = [k for k in one if k in other and k not in TOLD_ELSEWHERE]
    changed = [k for k in shared if str(one[k]) != str(other[k])]
    for name in changed:
        told = f"{spell_flag(name)} ({one[name]} / {other[name]})"
        if name in COMPUTING:
            still.append(told)
        elif FOLLOWS.get(name) not in changed:
            moving.append(told)
    for name in sorted({n for run in first.runs for n in run.config["versions"]}):
        told = _compare(first, second, lambda run, n=name: _version(run, n))
        if told:
            place = moving if name in MOVING_VERSIONS else still
            place.append(f"{name} ({told})")
    if told := _compare(first, second, lambda run: spell_kernels(run.path)):
        still.append(f"kernels ({told})")
    for name in DEVICE:
        if told := _compare(first, second, lambda run, n=name: _device(run, n)):
            still.append(f"{name.replace('_', ' ')} ({told})")
    if told := _compare_code(first, second):
        moving.append(told)
    lacking = [
        *_list_lacking(first.label, one, other),
        *_list_lacking(second.label, other, one),
    ]
    return Differences(moving, still, lacking, _list_unknown(first, second))


def _list_lacking(label: str, have: dict[str, Any], lack: dict[str, Any]) -> list[str]:
    """Name the settings that only one has, with values if there are few."""
    only = [name for name in have if name not in lack and name not in TOLD_ELSEWHERE]
    flags = [spell_flag(name) for name in only]
    if len(only) <= FEW:
        flags = [f"{f} {have[name]}" for f, name in zip(flags, only, strict=True)]
    return [f"Only {label} has {', '.join(flags)}"] if only else []


def _compare(first: Group, second: Group, read: Callable[[Run], str]) -> str:
    """Return what two groups have if they differ, else nothing."""
    one, other = (_join(map(read, group.runs)) for group in (first, second))
    return f"{one or 'unknown'} / {other or 'unknown'}" if one != other else ""


def _join(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values)))


def _version(run: Run, name: str) -> str:
    return run.config["versions"].get(name, "")


def _device(run: Run, name: str) -> str:
    value: Any = run.config["device"].get(name, "")
    return " + ".join(value) or "none" if isinstance(value, list) else str(value)


def _compare_code(first: Group, second: Group) -> str:
    commits = [
        {(run.config["code"] or {}).get("commit") or "" for run in group.runs}
        for group in (first, second)
    ]
    first_commit, *others = sorted(set.union(*commits))
    if commits[0] == commits[1] or all(is_same_code(first_commit, o) for o in others):
        return ""
    one, other = (_join(commit[:7] or "none" for commit in part) for part in commits)
    return f"code (commits {one} / {other})"


@cache
def is_same_code(commit: str, other: str) -> bool:
    """Return whether recipes and shared code are the same in two commits."""
    if not all(re.fullmatch(r"[0-9a-f]{40,64}", name) for name in (commit, other)):
        return False
    command = ["git", "-C", str(PROJECT), "diff", "--quiet", commit, other]
    command += ["--", "recipes", "shared"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _list_unknown(first: Group, second: Group) -> list[str]:
    labels = [
        group.label
        for group in (first, second)
        if any((run.config["code"] or {}).get("changed") for run in group.runs)
    ]
    if not labels:
        return []
    who = "both" if len(labels) == 2 else labels[0]
    return [f"The code of {who} had changes that were not committed."]
