"""The one exception whose message a user reads, and how messages name a flag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LARGEST = 100_000_000
"""Largest whole number that a flag takes. It is too large for the memory of a usual
machine."""


MOST = 2**53
"""Largest whole number that any flag takes. JSON keeps it exactly."""
LARGEST_ARRAY = 2_000_000_000
"""Most bytes that flags may ask for at once. Training needs several times as much."""


class UserError(Exception):
    """Something the user can fix: a flag, a file, a missing device.

    The message says what was passed, what is accepted and how to fix it, in one or two
    lines. The command line prints it without a traceback and exits with status 2.
    """

    def _render_traceback_(self) -> list[str]:
        """Return what Jupyter shows instead of a traceback."""
        return [f"error: {self}"]


def check_at_least(config: Any, least: Mapping[str, int], most: int = LARGEST) -> None:
    """Refuse whole numbers that are too small or far too large. None is accepted.

    Args:
        config: A dataclass of flags.
        least: Field name -> smallest value that the flag takes.
        most: Largest value that each of these flags takes.

    Raises:
        UserError: For the first such flag.
    """
    for name, lowest in least.items():
        value = getattr(config, name)
        if value is not None and value < lowest:
            raise UserError(
                f"{format_flag(name)} {value}: takes whole numbers from {lowest} up."
            )
        if value is not None and value > most:
            raise UserError(f"{format_flag(name)} {value}: takes at most {most:,}.")


def check_size(config: Any, names: Sequence[str], numbers: int) -> None:
    """Refuse sizes that together ask for more memory than a usual machine has.

    Args:
        config: A dataclass of flags.
        names: The flags that decide the size.
        numbers: How many float32 numbers the largest array holds, at least.

    Raises:
        UserError: With the flags and the size.
    """
    if 4 * numbers > LARGEST_ARRAY:
        flags = " ".join(f"{format_flag(n)} {getattr(config, n)}" for n in names)
        raise UserError(
            f"{flags}: needs an array of {4 * numbers / 1e9:,.0f} GB, and at most "
            f"{LARGEST_ARRAY / 1e9:.0f} GB are accepted. Choose smaller sizes."
        )


def check_shares(config: Any, names: Sequence[str]) -> None:
    """Refuse shares to drop that are below 0, or that leave nothing.

    Args:
        config: A dataclass of flags.
        names: The fields that hold a share to drop.

    Raises:
        UserError: For the first such flag.
    """
    for name in names:
        share = getattr(config, name)
        if not 0 <= share < 1:
            raise UserError(
                f"{format_flag(name)} {share}: takes a share from 0 (none) to below 1, "
                f"e.g. {format_flag(name)} 0.2."
            )


def format_flag(name: str) -> str:
    """Return the flag of a field: `batch_size` -> `--batch-size`."""
    return "--" + name.replace("_", "-")


def format_value(name: str, value: Any) -> str:
    """Return a field as a user types it: `--units 3`, `--unroll`, `--no-use-bias`."""
    if isinstance(value, bool):
        return format_flag(name if value else f"no_{name}")
    return f"{format_flag(name)} {value}"
