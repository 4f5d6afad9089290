"""An explanation of a text as one page for offline use."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import jinja2

from shared.inference.explain.texts import TextExplanation

TEMPLATE = Path(__file__).with_name("explanation.html")
FOR, AGAINST = (86, 180, 233), (230, 159, 0)  # blue and orange, as in the pictures


def build_page(
    found: TextExplanation, title: str, answer: str, check: str, picture: bytes
) -> str:
    """Return the page.

    Args:
        found: The explanation.
        title: Of the page.
        answer: The class, in a sentence.
        check: What the deletion check says, in a sentence.
        picture: PNG.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    largest = float(abs(found.attribution.integrated).max()) or 1.0
    words = [
        {
            "text": row["word"],
            "known": row["known"],
            "colour": _mix(row["integrated_gradients"] / largest),
            "facts": json.dumps(_list_facts(row), ensure_ascii=False),
        }
        for row in found.to_rows()
    ]
    return template.render(
        title=title,
        answer=answer,
        check=check,
        words=words,
        picture=base64.b64encode(picture).decode(),
    )


def _mix(share: float) -> str:
    """Return white, moved towards blue by a positive share or orange by a negative."""
    towards = FOR if share >= 0 else AGAINST
    parts = (round(255 + abs(share) * (one - 255)) for one in towards)
    return f"rgb({', '.join(map(str, parts))})"


def _list_facts(row: dict) -> list[tuple[str, str]]:
    """Return names and values for the box below the text."""
    facts = []
    for name, value in row.items():
        text = f"{value:.4f}" if isinstance(value, float) else str(value)
        if isinstance(value, bool):
            text = "yes" if value else "no"
        facts.append((name.replace("_", " "), text))
    return facts
