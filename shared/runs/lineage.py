"""Runs that start from other runs: what they record, and which of them count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from shared.core.errors import UserError
from shared.runs.reader import Run

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits


class Start(Protocol):
    """Where a training begins, if it is not at first weights of its own."""

    def prepare(self, data: Splits, model: keras.Model) -> None:
        """Check data and model before the folder is written; UserError if unfit."""

    def describe(self) -> dict[str, Any]:
        """Return what `config.json` records of it."""

    def begin(self, model: keras.Model, recorder: Any) -> int:
        """Set the training up. Returns how many epochs need no training."""


def list_parents(run: Run) -> list[str]:
    """Return the names of the folders that a run carries on, the latest first."""
    return list(run.config.get("resumed", {}).get("parents", []))


def find_counted(runs: Iterable[Run], others: Iterable[Run] = ()) -> list[Run]:
    """Return runs without those that a finished run carries on.

    That run holds all epochs of its parents. Both together would count twice.

    Args:
        runs: Some of them may be parents.
        others: More runs that may carry them on.
    """
    runs = list(runs)
    superseded = {
        (run.recipe, parent)
        for run in [*runs, *others]
        if run.state == "finished"
        for parent in list_parents(run)
    }
    return [run for run in runs if (run.recipe, run.path.name) not in superseded]


def check_same_data(run: Run, data: Splits) -> None:
    """Refuse data that differ from those of a run.

    Raises:
        UserError: With both, and how to name the right file.
    """
    sizes = run.config["data_facts"].get("examples", {})
    now = {part: len(getattr(data, part)) for part in sizes}
    sha256 = data.facts.get("sha256", "")
    tested = run.config["data_facts"].get("test_sha256")
    if (data.data, sha256, now, data.facts.get("test_sha256")) != (
        run.data,
        run.data_hash,
        sizes,
        tested,
    ):
        raise UserError(
            f"{run.path}: was trained on {_format_data(run.data, run.data_hash, sizes)}"
            f". The data found now are {_format_data(data.data, sha256, now)}. Use "
            "--data-dir to name the folder of the file that the run read."
        )


def _format_data(name: str, sha256: str, sizes: dict[str, int]) -> str:
    facts = [f"SHA-256 {sha256[:8]}..."] if sha256 else []
    facts += [f"{count:,} {part}" for part, count in sizes.items()]
    return f"{name} ({', '.join(facts)})" if facts else name
