"""The settings that a sweep tries: values of a grid, and ranges of a search."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.core.errors import UserError, format_flag, format_value
from shared.core.flags import parse
from shared.core.recipes import list_recipes, load_recipe
from shared.core.roles import REPEATS
from shared.core.text import shorten
from shared.inference.rebuild import restore_config
from shared.sweeps.trial import flatten, load_defaults, load_flags, takes_type

DIGITS = 4
"""Significant digits of a number that a search draws, so that a flag can be read."""


@dataclass(frozen=True)
class Range:
    """Numbers that a search draws from.

    Attributes:
        low: Smallest.
        high: Largest.
        is_log: Whether equal ratios are equally likely, and not equal differences.
        is_whole: Whether the flag takes whole numbers.
    """

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False

    def at(self, share: float) -> float | int:
        """Return the number at a share from 0 to 1 of the range."""
        if self.is_log:
            low, high = math.log(self.low), math.log(self.high)
            value = math.exp(low + share * (high - low))
        else:
            value = self.low + share * (self.high - self.low)
        return self.round(value)

    def round(self, value: float) -> float | int:
        """Return a number of the range with few digits."""
        if self.is_whole:
            return min(max(round(value), int(self.low)), int(self.high))
        return float(f"{min(max(value, self.low), self.high):.{DIGITS}g}")

    def describe(self) -> str:
        """Return the range in words."""
        return f"{self.low:g} to {self.high:g}" + (", log" if self.is_log else "")


Space = dict[str, list[Any] | Range]
"""Field name -> values of a grid, or a range."""


def check_recipes(names: Sequence[str]) -> list[str]:
    """Return the recipes with dashes.

    Raises:
        UserError: If there is none, or one does not exist.
    """
    recipes = list(dict.fromkeys(name.replace("_", "-") for name in names))
    if not recipes:
        raise UserError(
            'No recipe named. Example: make sweep RECIPES="imdb-gru imdb-lstm" '
            'ARGS="--seeds 0-4".'
        )
    for name in recipes:
        if name not in list_recipes() or load_recipe(name) is None:
            raise UserError(f"{shorten(name)}: no such recipe. make help lists them.")
    return recipes


def read_space(recipe: str, grid: Sequence[str], ranges: Sequence[str]) -> Space:
    """Return what a recipe tries.

    Args:
        recipe: Name with dashes.
        grid: From `--grid`, e.g. `units=16,32`.
        ranges: From `--range`, e.g. `learning_rate=0.0001:0.01:log`.

    Raises:
        UserError: If the recipe has no such flag, or the flag takes no such value.
    """
    space: Space = {}
    for text in grid:
        name, values = _split("--grid", text, recipe)
        if name in space:
            raise UserError(f"--grid {shorten(text)}: names {name} twice.")
        parts = [part.strip() for part in values.split(",")]
        space[name] = list(dict.fromkeys(read_value(recipe, name, p) for p in parts))
    for text in ranges:
        name, value = _split("--range", text, recipe)
        if name in space:
            raise UserError(f"--range {shorten(text)}: names {name} twice.")
        space[name] = _read_range(recipe, name, value, text)
    return space


def choose_default_space(recipe: str) -> Space:
    """Return the ranges of a search that names none: size, step size and dropout."""
    defaults = load_defaults(recipe)
    space: Space = {}
    if (rate := defaults.get("learning_rate")) is not None:
        space["learning_rate"] = Range(rate / 10, rate * 10, is_log=True)
    if (units := defaults.get("units")) is not None:
        space["units"] = Range(max(4, units // 4), units * 4, True, is_whole=True)
    for name in ("dropout", "recurrent_dropout"):
        if name in defaults:
            space[name] = Range(0.0, 0.5)
    if not space:
        raise UserError(
            f"{recipe}: has none of the flags that a search tries by default. Name "
            "some with --range or --grid."
        )
    return space


def read_value(recipe: str, name: str, text: str) -> Any:
    """Return a value of a flag, as JSON holds it.

    Raises:
        UserError: If the flag does not take it.
    """
    config_type = load_recipe(recipe).Config
    flag = load_flags(recipe)[name]
    if flag.hint is bool:
        known = {"true": True, "false": False}
        if text.lower() not in known:
            raise UserError(f"--grid {name}={shorten(text)}: takes true or false.")
        return known[text.lower()]
    if flag.hint in (int, float):  # a thousand of them take a moment, not a minute
        with contextlib.suppress(ValueError):
            return flag.hint(text)
    value = f"{format_flag(name)}={text}"
    config = parse(config_type, [value], f"recipes/{recipe.replace('-', '_')}.py", "")
    value = flatten(config)[name]
    return tuple(value) if isinstance(value, list) else value


def make_changes(recipe: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that differ from the recipe's defaults, in its order.

    Raises:
        UserError: If the recipe refuses a value.
    """
    defaults = load_defaults(recipe)
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    config, _ = restore_config(load_recipe(recipe).Config(), defaults | values)
    for part in [config, *vars(config).values()]:
        if hasattr(part, "validate"):
            part.validate()
    return {k: values[k] for k in defaults if k in values and values[k] != defaults[k]}


def format_changes(changes: Mapping[str, Any]) -> str:
    """Return flags as on a command line; `defaults` for none."""
    texts = (format_value(name, value) for name, value in changes.items())
    return " ".join(texts) or "defaults"


def draw(space: Space, seed: int, number: int) -> dict[str, Any]:
    """Return the settings of a trial of a random search. They depend on nothing else.

    Args:
        space: What to draw from.
        seed: Of the search.
        number: Of the trial, from 0.
    """
    random = np.random.default_rng([seed, number])
    drawn = {}
    for name, choices in space.items():
        share = float(random.random())
        if isinstance(choices, Range):
            drawn[name] = choices.at(share)
        else:
            drawn[name] = choices[int(share * len(choices))]
    return drawn


def _split(flag: str, text: str, recipe: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    if not equals or not name or not value:
        example = "units=16,32" if flag == "--grid" else "learning_rate=1e-4:1e-2:log"
        raise UserError(f"{flag} {shorten(text)}: takes NAME=VALUES, e.g. {example}.")
    flags = load_flags(recipe)
    if name not in flags:
        raise UserError(
            f"{flag} {shorten(text)}: {recipe} has no flag {format_flag(name)}. "
            f"make {recipe} ARGS=--help lists its flags."
        )
    if name == "seed":
        raise UserError(f"{flag} {shorten(text)}: use --seeds for the seeds.")
    known = flags[name]
    is_free = known.role in REPEATS and not takes_type(known, int) and name != "data"
    if is_free and ("," in value or flag == "--range"):
        raise UserError(
            f"{flag} {shorten(text)}: {format_flag(name)} changes no result. Give it "
            "one value."
        )
    return name, value


def _read_range(recipe: str, name: str, value: str, text: str) -> Range:
    match = re.fullmatch(r"([^:]+):([^:]+?)(:log)?", value)
    flag = load_flags(recipe)[name]
    is_whole, is_float = takes_type(flag, int), takes_type(flag, float)
    if match is None or not (is_whole or is_float):
        raise UserError(
            f"--range {shorten(text)}: takes a flag with a number, and LOW:HIGH or "
            "LOW:HIGH:log, e.g. learning_rate=1e-4:1e-2:log."
        )
    low, high = (read_value(recipe, name, match[k]) for k in (1, 2))
    is_log = match[3] is not None
    if not low < high or (is_log and low <= 0):
        need = "numbers above 0, the smaller one" if is_log else "the smaller number"
        raise UserError(f"--range {shorten(text)}: takes {need} first.")
    return Range(low, high, is_log, is_whole and not is_float)
