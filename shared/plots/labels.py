"""Names of groups of runs for legends, only what differs, in words; and styles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from shared.core.errors import format_value
from shared.core.roles import REPEATS
from shared.core.text import shorten
from shared.plots.colours import LineStyle, assign_styles
from shared.runs.groups import Group

LONGEST = 40
"""Characters of the value of a flag; a longer one loses its middle."""


def label_groups(groups: Sequence[Group]) -> tuple[list[str], str]:
    """Return a label per group, and what all groups have in common.

    Args:
        groups: At least one.

    Returns:
        Labels such as `memory-gru, lag 50`, without the flags that all groups share.
        Then these flags in words, such as `stop at 0.01`; empty if there are none.
    """
    changed = [list_changes(group) for group in groups]
    shared = [
        item for item in changed[0].items()
        if len(groups) > 1 and all(item in other.items() for other in changed)
    ]  # fmt: skip
    labels = []
    for group, flags in zip(groups, changed, strict=True):
        words = [flag_words(*item) for item in flags.items() if item not in shared]
        text = ", ".join([group.runs[0].recipe, *words])
        labels.append(f"{text}{_find_state(group)}")
    return labels, ", ".join(flag_words(*item) for item in shared)


def style_groups(groups: Sequence[Group]) -> list[LineStyle]:
    """Return a style per group, in their order.

    The group of a recipe with the fewest changed flags has the full colour and a solid
    line, wherever it comes in the picture.
    """
    order = sorted(range(len(groups)), key=lambda k: len(list_changes(groups[k])))
    styles = assign_styles(groups[k].runs[0].recipe for k in order)
    return [styles[order.index(k)] for k in range(len(groups))]


def count_seeds(groups: Sequence[Group]) -> tuple[int, list[str]]:
    """Return how many seeds most groups have, and a note on each group with others."""
    counts = [len(group.runs) for group in groups]
    usual = Counter(counts).most_common(1)[0][0]
    notes = [f", {k} seed{'s' if k > 1 else ''}" if k != usual else "" for k in counts]
    return usual, notes


def list_changes(group: Group) -> dict[str, Any]:
    """Return the flags of a group that differ from its recipe's defaults."""
    run = group.runs[0]
    repeats = run.list_names(*REPEATS)
    return {k: v for k, v in run.config.get("changed", {}).items() if k not in repeats}


def flag_words(name: str, value: Any) -> str:
    """Return a flag in words: `lag 50`, `go backwards`, `no return sequences`."""
    words = name.replace("_", " ")
    if isinstance(value, bool):
        return words if value else f"no {words}"
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return f"{words} {shorten(str(value), LONGEST)}"


def _find_state(group: Group) -> str:
    """Return what a group's label says behind recipe and flags: state and folder."""
    flags = [format_value(*item) for item in list_changes(group).items()]
    known = " ".join([group.runs[0].recipe, *flags])
    rest = group.label.removeprefix(known) if group.label.startswith(known) else ""
    return f" {rest.strip()}" if rest.strip() else ""
