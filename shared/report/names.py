"""Short names of groups on the page: the recipe and what differs, without dashes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from shared.core.roles import REPEATS, Role
from shared.core.text import shorten
from shared.report.published import REFERENCE
from shared.runs.groups import Group

FLAG = re.compile(r"(?<![\w-])--([\w-]+)")
LONGEST = 60  # characters of a value


def name_groups(pairs: Sequence[tuple[str, Group]]) -> tuple[list[str], list[str]]:
    """Return a name for each group on one data set, and what all groups share.

    A flag that has one value in all groups is in no name, and neither is a flag of the
    split, which all groups on one data set share. A published group is marked only
    where there are also groups that are not published.

    Args:
        pairs: Source and group, all on one data set.

    Returns:
        Names, each once, such as `imdb-gru, go backwards`, and the shared flags in the
        same words.
    """
    flags = [_list_flags(group) for _, group in pairs]
    first, run = flags[0], pairs[0][1].runs[0]
    candidates = first if len(flags) > 1 else first.keys() & run.list_names(Role.SPLIT)
    shared = [
        key
        for key in first
        if key in candidates
        and all(key in one and str(one[key]) == str(first[key]) for one in flags)
    ]
    is_mixed = len({source for source, _ in pairs}) > 1
    names = []
    for (source, group), one in zip(pairs, flags, strict=True):
        run = group.runs[0]
        parts = [format_words(k, v) for k, v in one.items() if k not in shared]
        if run.state != "finished":
            parts.append(f"seed {run.seed}")
        if is_mixed and source == REFERENCE:
            parts.append("published")
        names.append(", ".join([run.recipe, *parts]))
    times = Counter(names)
    unique = [
        name if times[name] == 1 else f"{name} ({group.runs[-1].path.name})"
        for name, (_, group) in zip(names, pairs, strict=True)
    ]
    if len(set(unique)) < len(unique):  # the labels are unique
        unique = [group.label for _, group in pairs]
    return unique, [format_words(key, first[key]) for key in shared]


def format_words(flag: str, value: Any) -> str:
    """Return a flag and its value in words: `lag 50`, `go backwards`, `no mask`."""
    words = flag.replace("_", " ")
    if isinstance(value, bool):
        return words if value else f"no {words}"
    return f"{words} {shorten(str(value), LONGEST)}"


def name_data(name: str) -> str:
    """Return the name of a data set without dashes before its flags."""
    return FLAG.sub(lambda found: found[1].replace("-", " "), name)


def _list_flags(group: Group) -> dict[str, Any]:
    run = group.runs[0]
    repeats = run.list_names(*REPEATS)
    changed = run.config.get("changed", {})
    return {name: value for name, value in changed.items() if name not in repeats}
