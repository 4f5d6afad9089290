"""The folder that describes a sweep. The runs are elsewhere."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from shared.core.errors import UserError
from shared.core.files import write_text
from shared.core.text import shorten
from shared.studies.sweep.plan import Plan
from shared.sweeps.trial import load_defaults

FORMAT = 1


@dataclass
class SweepFolder:
    """The folder of a sweep. The runs are elsewhere, in the folder of all runs.

    Attributes:
        path: The folder.
        facts: Content of `sweep.json`: flags, plan and the time of the first start.
    """

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def created(self) -> str:
        """Time of the first start, as the names of run folders have it."""
        return self.facts["created"]

    @property
    def database(self) -> Path:
        """Storage of Optuna."""
        return self.path / "optuna.db"

    def read(self) -> None:
        """Read what the folder says.

        Raises:
            UserError: If there is no such sweep, or its file is damaged.
        """
        place = self.path / "sweep.json"
        try:
            self.facts = json.loads(place.read_text(encoding="utf-8"))
            if self.facts["format"] != FORMAT:
                raise ValueError("another format")
        except FileNotFoundError:
            known = sorted(
                path.parent.name for path in place.parent.parent.glob("*/sweep.json")
            )
            names = ", ".join(known) or "none"
            raise UserError(
                f"{shorten(self.path.name)}: no such sweep in {self.path.parent} "
                f"(there are: {names})."
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{place}: cannot be read ({shorten(str(error))}). Delete it; the runs "
                "stay."
            ) from None

    def begin(self, plan: Plan, flags: Sequence[str]) -> None:
        """Record the plan, and refuse another sweep in the same folder.

        Raises:
            UserError: If the folder holds another sweep.
        """
        described = json.loads(json.dumps(plan.describe()))
        if (self.path / "sweep.json").exists():
            self.read()
            before = self.facts["plan"]
            if not (_fits(before, described) or _fits(described, before)):
                raise UserError(
                    f"--name {plan.name}: {self.path} holds another sweep. A sweep may "
                    "grow or shrink. Pass another --name, or delete that folder; the "
                    "runs stay."
                )
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
        self.facts = {"format": FORMAT, "created": self.facts.get("created", stamp)}
        self.facts |= {"flags": list(flags), "plan": described}
        write_text(self.path / "sweep.json", json.dumps(self.facts, indent=1) + "\n")

    def write_state(self, **facts: Any) -> None:
        """Write how far the sweep is, for `STATUS`."""
        write_text(self.path / "state.json", json.dumps(facts, indent=1) + "\n")

    def read_state(self) -> dict[str, Any]:
        """Return how far the sweep was; empty if that is not known."""
        try:
            return dict(json.loads((self.path / "state.json").read_text("utf-8")))
        except (OSError, ValueError):
            return {}

    def is_running(self) -> bool:
        """Return whether a process works on the sweep now."""
        if not (self.path / ".lock").is_file():
            return False
        try:
            with FileLock(self.path / ".lock", timeout=0):
                return False
        except Timeout:
            return True

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other processes from the folder.

        Raises:
            UserError: If another one has it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"{self.path}: another make sweep works on this sweep now. Wait for "
                "it, or pass another --name."
            ) from None
        try:
            yield
        finally:
            lock.release()


def _fits(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether all trials of one plan are also in another."""
    if one["search"] != other["search"]:
        return False
    if one["search"] != "grid":
        return one == other
    if not set(one["seeds"]) <= set(other["seeds"]):
        return False
    for recipe, space in one["spaces"].items():
        if recipe not in other["spaces"]:
            return False
        mine = _list_all(space, one["fixed"][recipe])
        theirs = _list_all(other["spaces"][recipe], other["fixed"][recipe])
        usual = load_defaults(recipe)
        for name in mine.keys() | theirs.keys():
            few = mine.get(name, [usual[name]])
            many = theirs.get(name, [usual[name]])
            if any(value not in many for value in few):
                return False
    return True


def _list_all(space: dict[str, Any], fixed: dict[str, Any]) -> dict[str, list[Any]]:
    return dict(space) | {name: [value] for name, value in fixed.items()}
