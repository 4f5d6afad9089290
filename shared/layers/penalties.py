"""Regularizers and constraints as flags: `l2:0.01`, `max_norm:2`."""

from __future__ import annotations

from typing import Any

from shared.core.errors import UserError, format_flag

# Kinds and how many numbers each takes.
REGULARIZERS = {"none": 0, "l1": 1, "l2": 1, "l1_l2": 2}
CONSTRAINTS = {"none": 0, "non_neg": 0, "unit_norm": 0, "max_norm": 1}


def parse_penalty(
    name: str, text: str, kinds: dict[str, int]
) -> tuple[str, list[float]]:
    """Split `l2:0.01` into its kind and its factors.

    Args:
        name: Field of the flag, for the message.
        text: The value that the user gave.
        kinds: Accepted kinds, and how many factors each takes.

    Raises:
        UserError: If the text has none of these forms.
    """
    kind, _, rest = text.partition(":")
    try:
        factors = [float(part) for part in rest.split(",")] if rest else []
        if len(factors) != kinds[kind] or any(not 0 <= f < 1e6 for f in factors):
            raise ValueError
    except (KeyError, ValueError):
        forms = [k + ":" * bool(n) + ",".join(["0.01"] * n) for k, n in kinds.items()]
        raise UserError(
            f"{format_flag(name)} {text}: takes one of {', '.join(forms)}, with "
            "factors of 0 or more."
        ) from None
    return kind, factors


def build_regularizer(name: str, text: str) -> Any:
    """Return the Keras regularizer that a flag describes, or None."""
    from keras import regularizers

    kind, factors = parse_penalty(name, text, REGULARIZERS)
    build = {"l1": regularizers.L1, "l2": regularizers.L2, "l1_l2": regularizers.L1L2}
    return build[kind](*factors) if kind in build else None


def build_constraint(name: str, text: str) -> Any:
    """Return the Keras constraint that a flag describes, or None."""
    from keras import constraints

    kind, factors = parse_penalty(name, text, CONSTRAINTS)
    build = {
        "non_neg": constraints.NonNeg,
        "unit_norm": constraints.UnitNorm,
        "max_norm": constraints.MaxNorm,
    }
    return build[kind](*factors) if kind in build else None
