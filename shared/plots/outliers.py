"""The range of a panel, and marks at its border for what lies outside."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from shared.plots.scale import needs_log, robust_range
from shared.runs.terminal import format_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from shared.tasks.score import Score

MARK = "outlier"
"""`gid` of the marks."""


@dataclass(frozen=True)
class Curves:
    """The curves of one group in a panel.

    Attributes:
        label: Of the group.
        colour: Of the group.
        epochs: (num_epochs,).
        values: (num_runs, num_epochs); NaN where there is none.
    """

    label: str
    colour: str
    epochs: np.ndarray
    values: np.ndarray


def find_kept(metric: str, score: Score) -> Literal["", "low", "high"]:
    """Return the end of better values, which no panel cuts off."""
    if metric == score.metric:
        return "high" if score.higher_is_better else "low"
    if metric in ("accuracy", "macro_f1"):
        return "high"
    return "low" if metric in ("loss", "mae") else ""


def set_range(
    axis: Axes,
    values: Sequence[float],
    near: Iterable[float],
    keep: Literal["", "low", "high"],
    across: bool = True,
) -> None:
    """Set the scale and the range of a panel so that outliers do not decide it.

    Args:
        axis: The panel.
        values: All values of its curves.
        near: Values of the baselines.
        keep: From `find_kept`.
        across: Whether the values are on the vertical axis.
    """
    log = needs_log(values)
    low, high = robust_range(values, near, keep, log)
    if log:
        axis.set_yscale("log") if across else axis.set_xscale("log")
        room = (high / low) ** 0.05
        low, high = low / room, high * room
    else:
        room = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
        low, high = low - room, high + room
    axis.set_ylim(low, high) if across else axis.set_xlim(low, high)


def mark_outliers(axis: Axes, curves: Sequence[Curves]) -> list[str]:
    """Mark at the border where curves leave a panel whose range is set.

    A stretch of neighbouring epochs outside has one mark, at its farthest value.

    Returns:
        A sentence per group and side: `imdb-gru up to 1.0871`.
    """
    low, high = axis.get_ylim()
    taken: Counter[tuple[float, str]] = Counter()
    notes = []
    for one in curves:
        for side, border, far in (("up", high, np.nanmax), ("down", low, np.nanmin)):
            sign = 1 if side == "up" else -1
            outside = sign * one.values > sign * border
            if not outside.any():
                continue
            worst = far(one.values[outside])
            amount = format_score(worst) if math.isfinite(worst) else "infinity"
            notes.append(f"{one.label} {side} to {amount}")
            for stretch in _find_stretches(outside.any(axis=0)):
                part = np.where(outside, sign * one.values, -np.inf)[:, stretch]
                epoch = one.epochs[stretch][part.max(axis=0).argmax()]
                shift = taken[epoch, side] * 0.02 * max(one.epochs[-1], 6)
                taken[epoch, side] += 1
                add_mark(axis, epoch + shift, border, side, one.colour)
    return notes


def add_mark(
    axis: Axes, x: float, y: float, side: Literal["up", "down", "left"], colour: str
) -> None:
    """Add a triangle at the border of a panel."""
    marker = {"up": "^", "down": "v", "left": "<", "right": ">"}[side]
    axis.plot(
        [x], [y], ls="none", marker=marker, ms=7, color=colour, mec="white", mew=0.6,
        clip_on=False, zorder=6, gid=MARK, scalex=False, scaley=False,
    )  # fmt: skip


def describe_outliers(notes: Mapping[str, Sequence[str]]) -> str:
    """Return a sentence for the legend; empty without notes.

    Args:
        notes: What a panel shows -> what is outside it. One panel has no name.
    """
    parts = [
        f"{name}: {', '.join(found)}" if len(notes) > 1 else ", ".join(found)
        for name, found in notes.items()
        if found
    ]
    return f"triangles, outside the panel: {'; '.join(parts)}" if parts else ""


def _find_stretches(outside: np.ndarray) -> list[slice]:
    """Return the stretches of neighbouring true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], outside, [False]])))
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]
