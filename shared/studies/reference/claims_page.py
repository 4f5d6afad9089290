"""`results/CLAIMS.md`: every claim with its verdict, from committed files only."""

from __future__ import annotations

from collections.abc import Sequence

from shared.studies.reference.claims import PICTURES, Claim
from shared.studies.reference.published import Reference

HEAD = """\
<!-- Made by make reference; make reference-tables writes it again. -->
# What the reference runs say to common claims

Each claim is checked against the runs of [README.md](README.md). An interval decides,
never a mean alone. A claim *holds* if the whole interval is on its side. It *does not
hold* if an effect worth seeing is ruled out. Otherwise these runs *cannot decide* it. A
claim with several parts *holds in part* if some parts hold and others do not. It has no
verdict before all parts are run. Intervals of test scores count seeds and test
examples, and are corrected for all comparisons on one data set. Intervals of epochs and
seconds count seeds, and are not corrected. All of this is about these recipes, sizes
and data. Pictures of test scores show each recipe alone. The verdicts compare the same
seeds and the same test examples, so they can be surer than two lines that overlap. An
epoch's seconds are the median of those after the first, as in README.md; the figures
here are means over the seeds, and those there are medians.
"""


def format_claims(reference: Reference, claims: Sequence[Claim]) -> str:
    """Return the page as Markdown; equal files give an equal page."""
    found = [(claim, *claim.evaluate(reference)) for claim in claims]
    lines = [HEAD, "| claim | verdict |", "|---|---|"]
    lines += [
        f"| [{claim.sentence}](#{_anchor(claim)}) | {verdict} |"
        for claim, verdict, _ in found
    ]
    lines.append("")
    for claim, verdict, parts in found:
        lines += [f'<a id="{_anchor(claim)}"></a>', f"## {claim.sentence}\n"]
        lines += [f"**{verdict.capitalize()}.** {claim.how}\n"]
        lines += [
            f"- {part.statement}: **{part.outcome}**; {part.numbers}" for part in parts
        ]
        lines.append("")
        if (reference.folder / claim.picture).is_file():
            picture = f"{reference.folder.name}/{claim.picture}"
            lines.append(f"![{PICTURES[claim.shows]}]({picture})\n")
    return "\n".join(lines).rstrip() + "\n"


def _anchor(claim: Claim) -> str:
    return f"claim-{claim.key}"
