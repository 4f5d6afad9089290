"""The one exception that a user is meant to read, and how it names a flag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST = 100_000_000  # more than any machine of the kind holds


class UserError(Exception):
    """Something the user can mend: a flag, a file, a missing device.

    The message names what was passed, what is accepted and how to fix it, in one
    or two lines. The command line prints it without a traceback and exits with
    status 2.
    """


def check_at_least(config: Any, least: Mapping[str, int]) -> None:
    """Refuse flags below the least value they take, or beyond all sense; not None.

    Args:
        config: A dataclass of flags.
        least: Field name -> least value, a whole number.

    Raises:
        UserError: With the first such flag.
    """
    for name, lowest in least.items():
        value = getattr(config, name)
        if value is not None and value < lowest:
            raise UserError(
                f"{spell_flag(name)} {value}: takes whole numbers from {lowest} up."
            )
        if value is not None and value > MOST:
            raise UserError(f"{spell_flag(name)} {value}: takes at most {MOST:,}.")


def check_shares(config: Any, names: Sequence[str]) -> None:
    """Refuse shares that leave nothing, or are none.

    Args:
        config: A dataclass of flags.
        names: Its fields that hold a share to be dropped.

    Raises:
        UserError: With the first such flag.
    """
    for name in names:
        share = getattr(config, name)
        if not 0 <= share < 1:
            raise UserError(
                f"{spell_flag(name)} {share}: takes a share from 0 (none) to below 1, "
                f"e.g. {spell_flag(name)} 0.2."
            )


def spell_flag(name: str) -> str:
    """Return a field's name as its flag: `batch_size` -> `--batch-size`."""
    return "--" + name.replace("_", "-")


def spell_value(name: str, value: Any) -> str:
    """Return a field as it is typed: `--units 3`, `--unroll`, `--no-use-bias`."""
    if isinstance(value, bool):
        return spell_flag(name if value else f"no_{name}")
    return f"{spell_flag(name)} {value}"
