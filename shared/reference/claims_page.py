"""`results/CLAIMS.md`: every claim with its verdict, made from committed files."""

from __future__ import annotations

from collections.abc import Sequence

from shared.reference.claims import Claim
from shared.reference.record import Reference

HEAD = """\
<!-- Made by make reference; make reference-tables writes it anew. -->
# What the reference runs say to common claims

Each is held against the runs of [README.md](README.md). An interval decides, never a
mean alone: a claim *holds* if the whole interval is on its side, *does not hold* if
what is worth seeing is ruled out, else it *cannot be decided* by these runs. A claim of
several parts *holds in part* if some of them hold and others do not, and has no verdict
before all of them are run. Intervals of test scores count seeds and test examples and
are corrected for all questions put to one data set; those of epochs and seconds count
seeds, each question alone. All of it is about these recipes, sizes and data.
"""


def spell_claims(reference: Reference, claims: Sequence[Claim]) -> str:
    """Return the page as Markdown; the same for the same files."""
    answers = [(claim, *claim.answer(reference)) for claim in claims]
    lines = [HEAD, "| claim | verdict |", "|---|---|"]
    lines += [
        f"| [{claim.sentence}](#{_anchor(claim)}) | {verdict} |"
        for claim, verdict, _ in answers
    ]
    lines.append("")
    for claim, verdict, parts in answers:
        lines += [f'<a id="{_anchor(claim)}"></a>', f"## {claim.sentence}\n"]
        lines += [f"**{verdict.capitalize()}.** {claim.how}\n"]
        lines += [
            f"- {part.question}: **{part.outcome}**; {part.numbers}" for part in parts
        ]
        lines.append("")
        if (reference.folder / claim.picture).is_file():
            picture = f"{reference.folder.name}/{claim.picture}"
            lines.append(f"![Validation curves]({picture})\n")
    return "\n".join(lines).rstrip() + "\n"


def _anchor(claim: Claim) -> str:
    return f"claim-{claim.key}"
