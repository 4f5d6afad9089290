"""An explanation as one page for offline use, or as the page of `make try`."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from shared.inference.explain.texts import TextExplanation
from shared.inference.explain.writers import WriterExplanation, show_token

HERE = Path(__file__).resolve().parent
TEXT_HINT = (
    "Blue words add to the answer, orange words speak against it. A dotted line marks "
    "words that the network does not know."
)
NO_TEXT = "Write something."
WRITER_HINT = (
    "The more orange a token is, the less the network expected it. A dotted line marks "
    "tokens that the network does not know."
)
LARGE_SURPRISE = 8.0  # bits; full orange
GUESS = re.compile(r"p\(guess_\d\)")
MOST_CURVES = 7  # of the classes, the likeliest at the end


@dataclass(frozen=True)
class Field:
    """The field of a page that asks its own server.

    Attributes:
        label: Above it.
        request: What the page says while it is empty.
        most: Characters, at most.
        text: In it at the start.
    """

    label: str = "Write or paste a text"
    request: str = NO_TEXT
    most: int = 20_000
    text: str = ""


@dataclass(frozen=True)
class PageContent:
    """What the page shows, ready for JSON.

    Attributes:
        answer: The result, in a sentence.
        remarks: What the reader should know, each in a sentence.
        words: `text`, `known`, `share` (colour, -1 orange to 1 blue) and `facts` (pairs
            of name and value) of each. `ahead`: it is a forecast.
        charts: `title`, `kind` (`lines`, `bars` or `heat`) and `curves` (name, values;
            null: no value) of each. Lines have the scale 0 to 1, unless `zoomed`, and
            may have `bands` (name, low, high). The values of `heat` lie between minus
            and plus `largest`.
        spaced: Whether there are spaces between the words.
        hint: What colours and marks mean.
        by_ahead: The shares of all words if the word with the number `word` or one near
            it is chosen.
        cursor: Number of the word that is chosen first; None: the last.
    """

    answer: str
    remarks: list[str]
    words: list[dict[str, Any]]
    charts: list[dict[str, Any]]
    spaced: bool
    hint: str = field(kw_only=True)
    by_ahead: list[dict[str, Any]] = field(default_factory=list, kw_only=True)
    cursor: int | None = field(default=None, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """Return everything by name."""
        return dict(vars(self))


def describe_text(
    found: TextExplanation, spaced: bool, remarks: Sequence[str]
) -> PageContent:
    """Return the page of a text with a class.

    Args:
        found: With or without an attribution.
        spaced: Whether there are spaces between the words.
        remarks: What the reader should know.
    """
    count = len(found.text.words)
    shares = np.zeros(count)
    charts = [_draw_classes(found)]
    if found.attribution is not None:
        integrated = found.attribution.integrated
        shares = integrated / (float(np.abs(integrated).max()) or 1.0)
        name = found.classes[found.chosen]
        curve = {"name": name, "values": _round(integrated)}
        charts.append(
            {
                "title": f"What each word adds to {name}",
                "kind": "bars",
                "curves": [curve],
            }
        )
    if found.gates is not None and found.gates.means:
        charts.append(_draw_gates(found.gates.means))
    words = [
        {
            "text": word,
            "known": bool(found.text.known[k]),
            "share": round(float(shares[k]), 4),
            "facts": _list_facts(row),
        }
        for k, (word, row) in enumerate(
            zip(found.text.words, found.to_rows(), strict=True)
        )
    ]
    return PageContent(
        found.answer, list(remarks), words, charts, spaced, hint=TEXT_HINT
    )


def describe_writing(found: WriterExplanation, remarks: Sequence[str]) -> PageContent:
    """Return the page of a writer.

    Args:
        found: The explanation.
        remarks: What the reader should know.
    """
    shares = -np.minimum(found.bits / LARGE_SURPRISE, 1)
    words = [
        {
            "text": token if token != "\n" else "\u21b5\n",
            "known": bool(found.known[k]),
            "share": round(float(shares[k]), 4),
            "facts": _list_facts(row),
        }
        for k, (token, row) in enumerate(
            zip(found.tokens, found.to_rows(), strict=True)
        )
    ]
    unit = found.unit[:-1]
    charts = [
        {
            "title": f"Probability of each {unit}",
            "kind": "bars",
            "curves": [{"name": "probability", "values": _round(found.chances)}],
        },
        {
            "title": f"Surprise at each {unit}, in bits",
            "kind": "bars",
            "curves": [{"name": "bits", "values": _round(found.bits)}],
        },
    ]
    if found.gates is not None and found.gates.means:
        charts.append(_draw_gates(found.gates.means))
    return PageContent(
        found.describe(), list(remarks), words, charts, False, hint=WRITER_HINT
    )


def render_page(
    title: str, content: PageContent | None, live: Field | None = None
) -> str:
    """Return the page. All text is escaped, and only the script with a hash runs.

    Args:
        title: Of the page.
        content: What it shows; None: nothing yet.
        live: The field of a page that asks its own server; None: it has none.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _read("explanation.js")
    return environment.get_template("explanation.html").render(
        title=title,
        content=None if content is None else content.to_dict(),
        live=live,
        style=Markup(_read("explanation.css")),
        script=Markup(script),
        hash=_hash(script),
    )


def _draw_classes(found: TextExplanation) -> dict[str, Any]:
    chosen = [found.chosen]
    if len(found.classes) > 2:
        chosen = np.argsort(-found.after[-1], kind="stable")[:MOST_CURVES].tolist()
    curves = [
        {"name": found.classes[k], "values": _round(found.after[:, k])} for k in chosen
    ]
    return {"title": "Probability after each word", "kind": "lines", "curves": curves}


def _draw_gates(means: dict[str, np.ndarray]) -> dict[str, Any]:
    curves = [
        {"name": name, "values": _round(values)} for name, values in means.items()
    ]
    title = "Gates, mean over the units (the scale fits the values)"
    return {"title": title, "kind": "lines", "curves": curves, "zoomed": True}


def _round(values: np.ndarray) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def _list_facts(row: dict[str, Any]) -> list[list[str]]:
    """Return names and values for the box below the text."""
    facts = []
    for name, value in row.items():
        if name in ("number", "word", "token") or GUESS.fullmatch(name):
            continue  # shown elsewhere
        text = f"{value:.4f}" if isinstance(value, float) else str(value)
        if isinstance(value, bool):
            text = "yes" if value else "no"
        if name.startswith("guess_"):
            text = f"{value} {row[f'p({name})']:.3f}"
        facts.append([name.replace("_", " "), text])
    shown = show_token(str(row.get("word", row.get("token"))))
    return [[f"{row['number']}", shown], *facts]


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
