"""A training that carries on that of another run, from its checkpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.runs.checkpoint import CHECKPOINT, Checkpoint, write_checkpoint
from shared.runs.lineage import check_same_data, list_parents
from shared.runs.reader import Run

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.training.recorder import Recorder, Row


class Resume:
    """Where a run begins: after the last epoch of its parent's checkpoint."""

    def __init__(self, parent: Run, checkpoint: Checkpoint) -> None:
        """Keep both.

        Args:
            parent: The run that is carried on. It is only read.
            checkpoint: Of the parent.
        """
        self.parent = parent
        self.checkpoint = checkpoint

    @property
    def epoch(self) -> int:
        """The last epoch that needs no training."""
        return self.checkpoint.facts.epoch

    def prepare(self, data: Splits, model: keras.Model) -> None:
        """Check that data and model are those of the parent. Changes nothing.

        Raises:
            UserError: If they are not.
        """
        from shared.training.checkpoint import check_variables

        check_same_data(self.parent, data)
        try:
            check_variables(model, self.checkpoint)
        except UserError as error:
            raise UserError(
                f"{shorten(str(self.parent.path))}: {CHECKPOINT} does not fit the "
                f"network ({error}). Use the code that wrote it, or begin with the "
                "weights of the run: --from."
            ) from None

    def describe(self) -> dict[str, Any]:
        """Return what `config.json` records of it."""
        parents = [self.parent.path.name, *list_parents(self.parent)]
        return {"resumed": {"parents": parents, "epoch": self.epoch}}

    def begin(self, model: keras.Model, recorder: Recorder) -> int:
        """Set the model, its optimizer and the record as they were after the epoch.

        The run folder then holds what the parent's held. The random generators follow
        when the training begins.

        Returns:
            The number of epochs that need no training.
        """
        from shared.training.checkpoint import restore_variables

        restore_variables(model, self.checkpoint)
        recorder.carry_on(model, list_rows(self.parent, self.epoch), self.checkpoint)
        write_checkpoint(recorder.folder.path, self.checkpoint)
        name = shorten(self.parent.path.name)
        print(f"Carries on {name} after its epoch {self.epoch}.")
        self.checkpoint = replace(self.checkpoint, arrays={})  # frees the memory
        return self.epoch


def list_rows(run: Run, epochs: int) -> list[Row]:
    """Return the first epochs of a saved run, as the record of a training has them."""
    columns = run.history
    return [
        {name: values[k] for name, values in columns.items()} | {"epoch": k + 1}
        for k in range(epochs)
    ]
