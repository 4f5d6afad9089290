"""What differs between two groups of runs, and what of that can move numbers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from shared.core.environment import PROJECT
from shared.core.errors import format_flag
from shared.core.roles import SAME_EXPECTATION, SHOWN_ELSEWHERE
from shared.runs.groups import Group
from shared.runs.reader import Run

MOVING_VERSIONS = ("keras", "tensorflow")
FEW = 4
DEVICE = ("machine", "cpu", "cores", "gpus", "threads_asked", "onednn")


@dataclass(frozen=True)
class Differences:
    """What differs between two groups, in words.

    Attributes:
        moving: Factors that can move numbers.
        still: Factors that can move only the last digits and the time.
        lacking: Settings that only one of the two has.
        unknown: What the folders do not record.
    """

    moving: list[str]
    still: list[str]
    lacking: list[str]
    unknown: list[str]

    def describe(self) -> list[str]:
        """Return a sentence for each kind, and a warning if several factors differ."""
        sentences = []
        if self.moving:
            sentences.append(f"Differs: {'; '.join(self.moving)}.")
        if self.lacking:
            sentences.append(f"{'; '.join(self.lacking)}.")
        if self.still:
            sentences.append(
                f"Changes only the time and the last digits: {'; '.join(self.still)}."
            )
        sentences += self.unknown
        if len(self.moving) > 1:
            names = ", ".join(factor.split(" (")[0] for factor in self.moving)
            sentences.append(
                f"More than one factor differs ({names}), so no single one explains "
                "the difference."
            )
        if not self.moving:
            sentences.append("Nothing differs that is known to change the numbers.")
        return sentences


def find_differences(first: Group, second: Group) -> Differences:
    """Compare the settings and environments of two groups on the same data."""
    runs = first.runs[0], second.runs[0]
    one, other = (run.settings for run in runs)
    shown = set.union(*(run.list_names(*SHOWN_ELSEWHERE) for run in runs))
    computing = set.union(*(run.list_names(*SAME_EXPECTATION) for run in runs))
    follows = runs[1].config["follows"] | runs[0].config["follows"]
    moving, still = [], []
    if first.runs[0].recipe != second.runs[0].recipe:
        moving.append(f"recipe ({first.runs[0].recipe} / {second.runs[0].recipe})")
    shared = [k for k in one if k in other and k not in shown]
    changed = [k for k in shared if str(one[k]) != str(other[k])]
    for name in changed:
        text = f"{format_flag(name)} ({one[name]} / {other[name]})"
        if name in computing:
            still.append(text)
        elif follows.get(name) not in changed:
            moving.append(text)
    for name in sorted({n for run in first.runs for n in run.config["versions"]}):
        text = _compare(first, second, lambda run, n=name: _version(run, n))
        if text:
            kind = moving if name in MOVING_VERSIONS else still
            kind.append(f"{name} ({text})")
    if text := _compare(first, second, lambda run: run.ran):
        still.append(f"kernels ({text})")
    for name in DEVICE:
        if text := _compare(first, second, lambda run, n=name: _device(run, n)):
            still.append(f"{name.removesuffix('_asked')} ({text})")
    if text := _compare_code(first, second):
        moving.append(text)
    lacking = [
        *_list_lacking(first.label, one, other.keys() | shown),
        *_list_lacking(second.label, other, one.keys() | shown),
    ]
    return Differences(moving, still, lacking, _list_unknown(first, second))


def _list_lacking(label: str, have: dict[str, Any], left_out: set[str]) -> list[str]:
    """Return the settings that only one group has, with values if there are few."""
    only = [name for name in have if name not in left_out]
    flags = [format_flag(name) for name in only]
    if len(only) <= FEW:
        flags = [f"{f} {have[name]}" for f, name in zip(flags, only, strict=True)]
    return [f"Only {label} has {', '.join(flags)}"] if only else []


def _compare(first: Group, second: Group, read: Callable[[Run], str]) -> str:
    """Return both values if two groups differ, else an empty text."""
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
