"""What a user writes into a file or a flag: sweeps in TOML, and durations."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.core.errors import UserError, format_flag
from shared.core.text import shorten

UNITS = {"h": 3600, "m": 60, "min": 60, "s": 1}


def parse_budget(text: str) -> float | None:
    """Return a duration such as `2h`, `90m` or `1h30m` in seconds; None if empty.

    Raises:
        UserError: If the text is no duration above zero.
    """
    if not text:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(h|min|m|s)", text)
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != text.replace(" ", "") or seconds <= 0:
        raise UserError(f"--budget {shorten(text)}: takes a time, e.g. 2h or 90m.")
    return seconds


def read_file(path: Path) -> list[str]:
    """Return a sweep in a TOML file as flags.

        recipes = ["imdb-gru", "imdb-lstm"]
        seeds = "0-4"
        [grid]
        units = [16, 32, 64]
        [range]
        learning_rate = [0.0001, 0.01, "log"]

    Its name is that of the file, unless the file has one.

    Raises:
        UserError: If it cannot be read, or a value has no form of a flag.
    """
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"--file {shorten(str(path))}: {shorten(reason)}.") from None
    recipes = facts.pop("recipes", [])
    grid, ranges = facts.pop("grid", {}), facts.pop("range", {})
    for name, table in (("grid", grid), ("range", ranges)):
        if not isinstance(table, Mapping):
            raise UserError(
                f"--file {shorten(str(path))}: [{name}] takes lines such as "
                "units = [16, 32]."
            )
    flags = [str(recipe) for recipe in recipes]
    flags += ["--name", str(facts.pop("name", path.stem))]
    for name, value in grid.items():
        flags += ["--grid", f"{name}={_join(value, ',')}"]
    for name, value in ranges.items():
        flags += ["--range", f"{name}={_join(value, ':')}"]
    for name, value in facts.items():
        if isinstance(value, bool):
            flags.append(format_flag(name if value else f"no_{name}"))
        else:
            flags += [format_flag(name), str(value)]
    return flags


def _join(value: Any, mark: str) -> str:
    values = value if isinstance(value, list) else [value]
    return mark.join(str(v).lower() if isinstance(v, bool) else str(v) for v in values)
