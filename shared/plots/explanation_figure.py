"""Why a network answered as it did, as matplotlib figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from shared.plots.panels import COLOURS, finish_panel, plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_WORDS = 60
SIZE = 8  # points


def draw_text_explanation(
    words: Sequence[str],
    after: np.ndarray,
    classes: Sequence[str],
    chosen: int,
    integrated: np.ndarray,
    gates: Mapping[str, np.ndarray],
    title: str,
) -> Figure:
    """Draw the probability after each word, what each word adds, and the gates.

    Args:
        words: Of the text. Of a longer one, the last are shown.
        after: Probabilities after each word, (num_words, num_classes).
        classes: Names.
        chosen: Number of the class of the whole text.
        integrated: Integrated gradients of each word.
        gates: Name -> mean over the units, (num_words,).
        title: Above the panels.
    """
    start = max(0, len(words) - MOST_WORDS)
    words, after, integrated = words[start:], after[start:], integrated[start:]
    rows = 2 + bool(gates)
    figure = Figure(
        figsize=(max(7.0, 0.22 * len(words) + 2), 2.1 * rows + 1),
        dpi=110,
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 1, squeeze=False, sharex=True)[:, 0]
    places = np.arange(len(words))
    shown = range(len(classes)) if len(classes) > 2 else [chosen]
    for k in shown:
        axes[0].plot(
            places, after[:, k], "o-", ms=3, color=COLOURS[k % len(COLOURS)],
            label=plain_text(classes[k]),
        )  # fmt: skip
    axes[0].set_ylim(-0.02, 1.02)
    axes[0].legend(fontsize=SIZE, frameon=False)
    finish_panel(axes[0], "Probability after each word", "")
    signs = np.where(integrated >= 0, COLOURS[0], COLOURS[1])
    axes[1].bar(places, integrated, color=signs)
    axes[1].axhline(0, color="black", lw=0.8)
    finish_panel(axes[1], f"What each word adds to {classes[chosen]}", "")
    if gates:
        _draw_gates(axes[2], gates, start)
    _name_words(axes[-1], words)
    figure.suptitle(plain_text(title), fontsize=11, fontweight="bold")
    return figure


def draw_writer_explanation(
    tokens: Sequence[str],
    chances: np.ndarray,
    likeliest: Sequence[Sequence[str]],
    their_chances: np.ndarray,
    gates: Mapping[str, np.ndarray],
    title: str,
) -> Figure:
    """Draw how probable each token of a text was, and what else was expected.

    Args:
        tokens: Of the text, printable. Of a longer one, the last are shown.
        chances: Probability of each, (num_tokens,).
        likeliest: The most probable tokens at each place, best first, printable.
        their_chances: Probabilities of these, (num_tokens, num_alternatives).
        gates: Name -> mean over the units, (num_tokens,).
        title: Above the panels.
    """
    start = max(0, len(tokens) - MOST_WORDS)
    tokens, chances, likeliest = tokens[start:], chances[start:], likeliest[start:]
    shares = np.asarray(their_chances[start:])
    figure = Figure(
        figsize=(max(7.0, 0.22 * len(tokens) + 2), 7.0 if gates else 5.0),
        dpi=110,
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(3 if gates else 2, 1, sharex=True)
    above, below = axes[:2]
    places = np.arange(len(tokens))
    above.bar(places, chances, color=COLOURS[0])
    above.set_ylim(0, 1.02)
    finish_panel(above, "Probability of each token", "")
    below.imshow(shares.T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for k, names in enumerate(likeliest):
        for rank, name in enumerate(names):
            right = name == tokens[k]
            below.text(
                k, rank, plain_text(name[:8]), ha="center",
                va="center", fontsize=SIZE, fontweight="bold" if right else "normal",
                color="white" if shares[k, rank] > 0.55 else "black",
            )  # fmt: skip
    below.set_yticks(range(shares.shape[1]))
    below.set_yticklabels([f"guess {n + 1}" for n in range(shares.shape[1])])
    below.tick_params(labelsize=SIZE)
    below.set_title("What the network expected; bold: the token that came", fontsize=9)
    if gates:
        _draw_gates(axes[2], gates, start)
    _name_words(axes[-1], tokens)
    figure.suptitle(plain_text(title), fontsize=11, fontweight="bold")
    return figure


def draw_window_explanation(
    by_step: np.ndarray, columns: Sequence[str], ahead: Sequence[int], title: str
) -> Figure:
    """Draw how much each step and column of a window adds to a forecast.

    Args:
        by_step: Integrated gradients, (num_ahead, steps, num_columns).
        columns: Names.
        ahead: Step of the horizon of each of the first axis.
        title: Above the panels.
    """
    figure = Figure(
        figsize=(8.5, 1.0 + (0.5 + 0.22 * len(columns)) * len(ahead)),
        dpi=110,
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(ahead), 1, squeeze=False, sharex=True)[:, 0]
    steps = by_step.shape[1]
    largest = float(np.abs(by_step).max()) or 1.0
    for axis, values, step in zip(axes, by_step, ahead, strict=True):
        image = axis.imshow(
            values.T, cmap="RdBu", vmin=-largest, vmax=largest, aspect="auto",
            extent=(-steps + 0.5, 0.5, len(columns) - 0.5, -0.5),
            interpolation="nearest",
        )  # fmt: skip
        axis.set_yticks(range(len(columns)))
        axis.set_yticklabels([plain_text(name) for name in columns], fontsize=SIZE)
        unit = "step" if step == 1 else "steps"
        axis.set_title(f"{step} {unit} ahead", fontsize=9)
    axes[-1].set_xlabel("step of the window; 0 is the latest")
    figure.colorbar(image, ax=list(axes), label="adds to the forecast", shrink=0.8)
    figure.suptitle(plain_text(title), fontsize=11, fontweight="bold")
    return figure


def _draw_gates(axis: Axes, gates: Mapping[str, np.ndarray], start: int) -> None:
    for k, (name, values) in enumerate(gates.items()):
        places = np.arange(len(values) - start)
        axis.plot(places, values[start:], "-", color=COLOURS[k], label=name)
    axis.legend(fontsize=SIZE, frameon=False)
    finish_panel(axis, "Gates, mean over the units", "")


def _name_words(axis: Axes, words: Sequence[str]) -> None:
    axis.set_xticks(range(len(words)))
    names = [plain_text(word if len(word) <= 14 else f"{word[:13]}...")
             for word in words]  # fmt: skip
    axis.set_xticklabels(names, rotation=90, fontsize=SIZE)
    axis.set_xlim(-0.6, len(words) - 0.4)
