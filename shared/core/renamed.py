"""Flags whose names changed.

Commands and run folders with an old name still work.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

OLD_FLAGS = {
    "clip": "global_clipnorm",
    "members": "ensemble_size",
    "radius": "adversarial_epsilon",
    "pairs": "bigrams",
    "jobs": "workers",
    "bars": "baselines",
}
"""Old field name -> name of today."""


def use_new_flags(flags: Sequence[str], known: Collection[str]) -> list[str]:
    """Return a command line with the flag names of today.

    Args:
        flags: As typed.
        known: Field names that the command has today. An old name is replaced only if
            the command has the new name and not the old one.
    """
    renamed = []
    for flag in flags:
        typed, equals, value = flag.partition("=")
        old = typed.removeprefix("--").replace("-", "_")
        new = OLD_FLAGS.get(old)
        if typed.startswith("--") and new in known and old not in known:
            typed = "--" + new.replace("_", "-")
        renamed.append(f"{typed}{equals}{value}")
    return renamed


def use_new_names(values: dict) -> dict:
    """Return settings with the field names of today, in the same order."""
    return {
        OLD_FLAGS[name]
        if name in OLD_FLAGS and OLD_FLAGS[name] not in values
        else name: value
        for name, value in values.items()
    }
