"""The pictures of the reference, drawn from what is published."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from shared.core.files import write_whole
from shared.runs.epoch_seconds import measure_seconds
from shared.runs.groups import Group
from shared.studies.reference.claim_list import list_claims
from shared.studies.reference.claims import SECONDS, TESTS, Claim
from shared.studies.reference.published import Reference

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_pictures(
    reference: Reference, fresh: Collection[str] | None = None
) -> list[Path]:
    """Draw the curves of each recipe, and the picture of each claim.

    Args:
        reference: Published runs.
        fresh: Labels of the experiments whose pictures are drawn; None means all.

    Returns:
        The files.
    """
    from shared.plots.comparison_figure import draw_comparison

    chosen = reference.groups if fresh is None else fresh
    paths = []
    for recipe in dict.fromkeys(reference.groups[k].runs[0].recipe for k in chosen):
        groups = [g for g in reference.groups.values() if g.runs[0].recipe == recipe]
        paths.append(reference.folder / recipe / "curves.png")
        write_whole(paths[-1], draw_comparison(groups).savefig)
    for claim in list_claims():
        groups = [g for name in claim.drawn if (g := reference.groups.get(name))]
        if groups and set(chosen) & set(claim.drawn):
            paths.append(reference.folder / claim.picture)
            write_whole(paths[-1], draw_claim(claim, groups).savefig)
    return paths


def draw_claim(claim: Claim, groups: list[Group]) -> Figure:
    """Draw what a claim is about: test scores, seconds, or validation curves."""
    from shared.plots.comparison_figure import draw_comparison
    from shared.plots.scores_figure import draw_figures, draw_test_scores

    if claim.shows == TESTS:
        return draw_test_scores(groups)
    if claim.shows == SECONDS:
        return draw_figures(groups, measure_seconds, "Seconds per epoch")
    return draw_comparison(groups)
