"""The colour of a recipe: the same in every picture and on every page."""

from __future__ import annotations

import colorsys
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# Okabe and Ito's colours, which colour-blind readers can distinguish, and four more.
# The colour belongs to the architecture: a GRU is blue on every data set.
ARCHITECTURES = {
    "gru": "#0072B2",
    "lstm": "#D55E00",
    "simple-rnn": "#555555",
    "best": "#009E73",
    "bidirectional-gru": "#CC79A7",
    "bidirectional-lstm": "#CC79A7",
    "stacked-gru": "#56B4E9",
    "stacked-simple-rnn": "#56B4E9",
    "gru-dropout": "#E69F00",
    "conv1d-gru": "#8C510A",
    "encoder-decoder-gru": "#6A3D9A",
    "next-step-gru": "#6A3D9A",
    "dense": "#8A8A00",
    "linear": "#8A8A00",
}
OTHERS = ("#882255", "#117733", "#332288", "#AA4499", "#44AA99", "#999933")
NUM_DASHES = 4  # solid, dashed, dotted, dash-dot


@dataclass(frozen=True)
class LineStyle:
    """How the curve of one group of runs looks.

    Attributes:
        light: Its colour on a white ground, "#rrggbb".
        dark: Its colour on a dark ground, "#rrggbb".
        dash: 0 for a solid line; 1, 2, ... for further groups of the same recipe.
    """

    light: str
    dark: str
    dash: int


def recipe_colour(recipe: str) -> str:
    """Return the colour of a recipe, "#rrggbb", for a white ground.

    Args:
        recipe: A name such as "imdb-gru". The part behind the first dash decides.
            A name that is not known has a colour of its own, always the same.
    """
    architecture = recipe.partition("-")[2]
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    return OTHERS[zlib.crc32(recipe.encode()) % len(OTHERS)]


def assign_styles(recipes: Iterable[str]) -> list[LineStyle]:
    """Return a style per group of runs.

    Args:
        recipes: The recipe of each group, in the order of the picture. Groups of one
            recipe share its colour. They differ by dash and by lightness.
    """
    seen: Counter[str] = Counter()
    styles = []
    for recipe in recipes:
        count = seen[recipe]
        seen[recipe] += 1
        base = recipe_colour(recipe)
        styles.append(
            LineStyle(
                light=_lighten(base, 0.16 * (count % 4)),
                dark=_lighten(base, 0.25 + 0.12 * (count % 4)),
                dash=count % NUM_DASHES,
            )
        )
    return styles


def _lighten(colour: str, share: float) -> str:
    """Return a colour moved towards white by a share of the way, from 0 to 1."""
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    changed = colorsys.hls_to_rgb(hue, light + (1 - light) * share, saturation)
    return "#" + "".join(f"{round(255 * part):02X}" for part in changed)
