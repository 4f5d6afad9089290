"""A picture of the test scores on a data set: a row for each recipe."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from shared.plots.colours import LineStyle
from shared.plots.scale import needs_log, robust_range
from shared.report.glance import find_baseline, find_limit
from shared.report.matrix import lower_title
from shared.runs.cost import score_run
from shared.runs.groups import Group
from shared.runs.terminal import format_score

MARGIN = 4  # percent of the width of the picture, on both sides


def build_picture(
    groups: Sequence[Group], styles: Sequence[LineStyle]
) -> dict[str, Any] | None:
    """Return a picture of test scores: a row for each group, a dot for each seed.

    Args:
        groups: Groups to show, the best first, with the names of the page.
        styles: Style of each.

    Returns:
        `title`, `better` (the better side), `is_log`, `has_outside`, `low` and `high`
        (ends of the axis, as text), `marks` (`name`, `text`, `kind` and `place`) and
        `rows` (`label`, `style`, `text`, `mean` and `seeds`). A place is in percent of
        the width, or None for a mark outside. The mean and the seeds have `place`,
        `text` and `outside`: "", "left" or "right". None without a test score,
        or if all scores are equal.
    """
    found = [
        (group, style, values)
        for group, style in zip(groups, styles, strict=True)
        if (values := list(filter(_is_finite, map(score_run, group.runs))))
    ]
    if not found:
        return None
    first = found[0][0]
    score = first.runs[0].score
    marks = []
    if (simple := find_baseline(first)) is not None:
        value = simple["test"][score.metric]
        marks.append((f"simple model: {simple['name']}", "simple", value))
    if (limit := find_limit(first)) is not None:
        marks.append(("best achievable", "limit", limit))
    everything = [value for _, _, values in found for value in values]
    near = [value for _, _, value in marks]
    is_log = needs_log(everything)
    keep = "high" if score.higher_is_better else "low"
    low, high = _widen(*robust_range(everything, (), keep, is_log), near, is_log)
    if low == high:
        return None
    place = _make_scale(low, high, is_log)
    return {
        "title": f"Test {lower_title(score.metric, score.unit)}",
        "better": "right" if score.higher_is_better else "left",
        "is_log": is_log,
        "has_outside": any(not _is_within(value, low, high) for value in everything),
        "low": format_score(low),
        "high": format_score(high),
        "marks": [
            {
                "name": name,
                "kind": kind,
                "text": format_score(value),
                "place": place(value) if _is_within(value, low, high) else None,
            }
            for name, kind, value in marks
        ],
        "rows": [
            {
                "label": group.label,
                "style": style,
                "text": _format_mean(values),
                "mean": _find_place(statistics.fmean(values), low, high, place),
                "seeds": [_find_place(value, low, high, place) for value in values],
            }
            for group, style, values in found
        ],
    }


def _widen(
    low: float, high: float, near: Sequence[float], is_log: bool
) -> tuple[float, float]:
    """Return a range with the values that are at most its width away from it.

    A range without width takes all of them.
    """
    if low == high:
        return min([low, *near]), max([high, *near])
    room = high / low if is_log else high - low
    least, most = (low / room, high * room) if is_log else (low - room, high + room)
    close = [value for value in near if least <= value <= most]
    return min([low, *close]), max([high, *close])


def _make_scale(low: float, high: float, is_log: bool) -> Callable[[float], float]:
    """Return a function from a score to its place in percent of the width."""
    convert = math.log if is_log else float
    start, width = convert(low), convert(high) - convert(low)

    def place(value: float) -> float:
        share = (convert(value) - start) / width
        return round(MARGIN + (100 - 2 * MARGIN) * share, 2)

    return place


def _find_place(
    value: float, low: float, high: float, place: Callable[[float], float]
) -> dict[str, Any]:
    outside = ""
    if not _is_within(value, low, high):
        outside = "left" if value < low else "right"
    return {
        "place": place(min(max(value, low), high)),
        "outside": outside,
        "text": format_score(value),
    }


def _is_within(value: float, low: float, high: float) -> bool:
    return low <= value <= high or math.isclose(value, low) or math.isclose(value, high)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def format_spread(value: float, beside: str) -> str:
    """Return a standard deviation with as many digits as the mean beside it."""
    return format_score(value) if "e" in beside else f"{value:.4f}"


def _format_mean(values: Sequence[float]) -> str:
    text = format_score(statistics.fmean(values))
    if len(values) > 1:
        text += f" ± {format_spread(statistics.stdev(values), text)}"
    return text
