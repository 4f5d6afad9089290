"""What each flag decides, declared once at its field.

    units: Annotated[int, Role.MODEL]
    kernel: Annotated[Kernel, Role.KERNEL, Resolved(portable="keras")] = "default"

`config.json` records the roles. Code that compares, groups, rebuilds or plans runs
reads the role of a flag and never its name.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from shared.core.errors import UserError


class Role(StrEnum):
    """What a flag decides."""

    DATA = "data"
    """Which examples exist and what they contain. Baselines depend on it."""
    SPLIT = "split"
    """Which examples train, choose the epoch and test. Runs that differ in it are never
    compared."""
    SOURCE = "source"
    """Where the data come from and how much of them. The name and the hash of the data
    set identify the outcome."""
    MODEL = "model"
    """The network, and which part of an example it reads."""
    TRAINING = "training"
    """How the weights are fitted."""
    KERNEL = "kernel"
    """Which kernel computes. It changes the time and the last digits, and with dropout
    the random draws."""
    COMPUTATION = "computation"
    """How the numbers are computed. No number changes."""
    SEED = "seed"
    """Which repeat of an experiment the run is."""
    OUTPUT = "output"
    """Where the results go and what is printed."""


REPEATS = frozenset({Role.SEED, Role.SOURCE, Role.COMPUTATION, Role.OUTPUT})
"""Runs that differ in these roles only are repeats of one experiment."""
SHOWN_ELSEWHERE = frozenset({Role.SEED, Role.SOURCE, Role.OUTPUT})
"""The run folder and the name of the data set already show these roles."""
SAME_EXPECTATION = frozenset({Role.KERNEL, Role.COMPUTATION})
"""These roles change the time and the last digits, but no expected score."""
SAME_TRAINING = frozenset({Role.SOURCE, Role.COMPUTATION, Role.OUTPUT})
"""A run that carries on another one may differ from it in these roles. The hash of the
data must be the same."""
READ_BY_BASELINES = frozenset({Role.DATA, Role.SPLIT})
"""Runs that differ in these roles have different baselines."""


@dataclass(frozen=True)
class Resolved:
    """Marks a flag whose value the suite may replace before training.

    Attributes:
        by: Name of the flag that decides the value; empty if the machine or the layer
            decides it.
        portable: A value that works on every machine; None if there is none.
    """

    by: str = ""
    portable: Any = None


@dataclass(frozen=True)
class EndsTraining:
    """Marks a flag that decides nothing but when a training ends.

    A run that carries on another one may have another value. Its epochs up to there are
    the same.
    """


@dataclass(frozen=True)
class Flag:
    """One flag of a config.

    Attributes:
        name: Name of the field.
        value: Its value.
        hint: Its type, without the marks.
        role: What the flag decides.
        resolved: How the suite may replace the value; None if it never does.
        ends_training: Whether it decides only when a training ends.
    """

    name: str
    value: Any
    hint: Any
    role: Role
    resolved: Resolved | None = None
    ends_training: bool = False


@dataclass
class Settings:
    """The flags of a run, flat and ready for JSON.

    Attributes:
        values: Value of every flag by its name.
        roles: Role of every flag by its name.
        follows: Flag -> the flag that decides it.
    """

    values: dict[str, Any]
    roles: dict[str, str]
    follows: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def seed(self) -> int:
        """Value of the flag whose role is `Role.SEED`.

        Raises:
            UserError: If no flag has that role.
        """
        for name, role in self.roles.items():
            if role == Role.SEED:
                return self.values[name]
        raise UserError(
            "The config has no seed. Add `training: TrainingConfig` to the recipe's "
            "Config, or give one field the role Role.SEED."
        )


def list_flags(config: Any) -> Iterator[Flag]:
    """Yield every flag of a config; a nested dataclass is a group of flags.

    Args:
        config: A dataclass whose fields are dataclasses or flags with a role.

    Raises:
        UserError: If a field has no role.
    """
    hints = _read_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from list_flags(value)
            continue
        hint = hints[field.name]
        marks = getattr(hint, "__metadata__", ())
        roles = [mark for mark in marks if isinstance(mark, Role)]
        if len(roles) != 1:
            accepted = ", ".join(f"Role.{role.name}" for role in Role)
            raise UserError(
                f"{type(config).__name__}.{field.name} needs one role that says what "
                f"the flag decides, e.g. `{field.name}: Annotated[int, Role.MODEL]`. "
                f"Roles: {accepted}."
            )
        resolved = next((mark for mark in marks if isinstance(mark, Resolved)), None)
        plain = typing.get_args(hint)[0]
        ends = any(isinstance(mark, EndsTraining) for mark in marks)
        yield Flag(field.name, value, plain, roles[0], resolved, ends)


@cache
def _read_hints(kind: type) -> dict[str, Any]:
    """Return the types of the fields; a sweep asks for each of its trials."""
    return typing.get_type_hints(kind, include_extras=True)


def read_settings(config: Any) -> Settings:
    """Return the flags of a config, flat and ready for JSON.

    Raises:
        UserError: If a field has no role.
    """
    flags = list(list_flags(config))
    return Settings(
        values={flag.name: _to_json(flag.value) for flag in flags},
        roles={flag.name: str(flag.role) for flag in flags},
        follows={f.name: f.resolved.by for f in flags if f.resolved and f.resolved.by},
    )


def _to_json(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
