"""One data set on the page: its summary, its curves, its table and its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from shared.compare.tables import list_groups
from shared.core.errors import format_flag
from shared.core.recipes import list_recipes
from shared.core.roles import READ_BY_BASELINES, Role
from shared.plots.colours import assign_styles
from shared.plots.curves import merge_metrics
from shared.report.entries import Entry, choose_shown, name_key, rank_entries
from shared.report.glance import list_sentences
from shared.report.matrix import VerdictCache, build_matrix, lower_title
from shared.report.names import name_data, name_groups
from shared.report.overview import build_picture
from shared.report.published import MARK, REFERENCE
from shared.runs.groups import Group, list_baselines
from shared.runs.reader import Run
from shared.tasks.score import Score, format_title


def sort_sets(groups: Mapping[str, Sequence[tuple[str, Group]]]) -> list[str]:
    """Return the names of data sets, real data first.

    Args:
        groups: Name of a data set -> sources and groups on it.
    """

    def rate(name: str) -> tuple[bool, str]:
        return format_kind(groups[name][0][1].runs[0]).startswith("generated"), name

    return sorted(groups, key=rate)


def describe_set(
    key: str,
    name: str,
    same_data: Sequence[tuple[str, Group]],
    get_verdicts: VerdictCache | None,
) -> dict[str, Any]:
    """Return one data set as the page shows it.

    Args:
        key: Its key in the page.
        name: Its name.
        same_data: Sources and groups on it.
        get_verdicts: As in `collect`.
    """
    styles = assign_styles(group.runs[0].recipe for _, group in same_data)
    names, shared = name_groups(same_data)
    ranked = rank_entries(
        Entry(source, group.label, replace(group, label=short), style)
        for (source, group), short, style in zip(same_data, names, styles, strict=True)
    )
    groups = [entry.group for entry in ranked]
    first = groups[0].runs[0]
    score = first.score
    rows = list(list_groups(groups))
    finished = [group for group in groups if group.runs[0].state == "finished"]
    published = {
        entry.group.label: entry.label.removesuffix(MARK)
        for entry in ranked
        if entry.source == REFERENCE
    }
    verdicts = None
    if get_verdicts and finished:
        verdicts = get_verdicts(finished, published)
    shown = choose_shown(ranked)
    switched_on = {entry.label for entry in shown}
    drawn = [e for e in shown if e.group.runs[0].state == "finished"]
    return {
        "key": key,
        "name": name_data(name),
        "kind": format_kind(first),
        "score": lower_title(score.metric, score.unit),
        "higher_is_better": score.higher_is_better,
        "shared": [words for words in shared if words not in name_data(name)],
        "is_published": len(published) == len(groups),
        "sentences": list_sentences(finished, verdicts),
        "picture": build_picture([e.group for e in drawn], [e.style for e in drawn]),
        "metrics": [
            {
                "name": m,
                "title": format_title(m, score.unit),
                "keep": _find_better_end(m, score),
            }
            for m in merge_metrics(groups)
        ],
        "groups": [
            _describe_group(f"{key}-{k}", entry.source, entry.group)
            | {"row": row, "id": entry.label, "style": entry.style}
            | {"shown": entry.label in switched_on}
            for k, (entry, row) in enumerate(zip(ranked, rows, strict=False))
        ],
        "baselines": _list_baselines(groups, rows[len(groups) :]),
        "has_front": len(finished) > 1,
        "matrix": {}
        if verdicts is None
        else build_matrix(verdicts, finished, published),
    }


def _list_baselines(
    groups: Sequence[Group], rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the baselines of all groups, each with its row of the table.

    Groups that read other inputs may have baselines with other scores. Their names
    then say for which groups.

    Args:
        groups: All on one data set.
        rows: The rows of their baselines from `list_groups`.
    """
    found: dict[str, list[tuple[Group | None, dict[str, Any]]]] = {}
    for baseline, row in zip(list_baselines(groups), rows, strict=True):
        name = baseline["name"]
        owner = next((g for g in groups if name.endswith(f" ({g.label})")), None)
        plain = name.removesuffix(f" ({owner.label})") if owner else name
        found.setdefault(plain, []).append((owner, baseline | {"row": row}))
    named = []
    for plain, same in found.items():
        scores = [[one["validation"], one["test"]] for _, one in same]
        if all(one == scores[0] for one in scores):
            named.append(same[0][1] | {"name": plain})
            continue
        counts = [_count_alike(owner, groups) for owner, _ in same]
        for (owner, one), count in zip(same, counts, strict=True):
            more = f" and {count - 1} more" if count > 1 else ""
            who = f"{owner.label}{more}"
            if len(same) == 2 and count == max(counts) > 1:
                who = "the others"
            named.append(one | {"name": f"{plain} (for {who})"})
    return named


def _count_alike(owner: Group, groups: Sequence[Group]) -> int:
    """Return how many groups have the same inputs for their baselines."""
    return sum(_list_read(group) == _list_read(owner) for group in groups)


def _list_read(group: Group) -> dict[str, str]:
    """Return the flags that decide what the baselines of a group read."""
    run = group.runs[0]
    return {k: str(run.settings[k]) for k in run.list_names(*READ_BY_BASELINES)}


def _find_better_end(metric: str, score: Score) -> str:
    """Return the end of an axis that outliers do not lose: `low`, `high` or ""."""
    if metric == score.metric:
        return "high" if score.higher_is_better else "low"
    return "low" if metric == "loss" else ""


def format_kind(run: Run) -> str:
    """Return whether a run's data are real, a generated sample, or a generated task."""
    facts = run.config.get("data_facts", {})
    if facts.get("is_sample"):
        return "generated sample, not the real data"
    if facts.get("origin") == "generated":
        return "generated task"
    return "part of the real data" if "-limit-" in run.data else "real data"


def _describe_group(key: str, source: str, group: Group) -> dict[str, Any]:
    newest = max(group.runs, key=lambda run: run.path.name)
    config = newest.config
    facts = config.get("data_facts", {})
    planned = [layer["description"] for layer in newest.kernels.get("planned", [])]
    ran = dict.fromkeys(run.ran for run in group.runs if run.ran)
    return {
        "key": key,
        "label": group.label,
        "recipe": newest.recipe,
        "source": source,
        "state": newest.state,
        "runs": [name_key(run) for run in group.runs],
        "settings": [
            {
                "text": f"{format_flag(name)} {value}",
                "changed": name in config.get("changed", {}),
            }
            for name, value in config["settings"].items()
            if name not in newest.list_names(Role.SEED)
        ],
        "facts": {
            "question": _read_questions().get(newest.recipe, ""),
            "command": config.get("command", ""),
            "examples": _join(facts.get("examples")),
            "data file": f"SHA-256 {newest.data_hash}" if newest.data_hash else "",
            "kernel, planned": "; ".join(planned),
            "kernel, used": " / ".join(ran),
            "machine": _join(config.get("device")),
            "versions": _join(config.get("versions")),
            "code": _format_code(config.get("code") or {}),
        },
    }


def _format_code(code: Mapping[str, Any]) -> str:
    commit = code.get("commit")
    if not commit:
        return ""
    changes = ", with changes that were not committed" if code.get("changed") else ""
    return f"commit {commit[:12]}{changes}"


def _join(facts: Mapping[str, Any] | None) -> str:
    """Return a few facts as one line: `train 20000, test 25000`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in (facts or {}).items()
        if value not in ("", [], None)
    )


@cache
def _read_questions() -> dict[str, str]:
    """Return recipe -> the question it asks."""
    return {name: recipe.question for name, recipe in list_recipes().items()}
