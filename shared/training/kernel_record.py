"""The Keras callback that compares the kernels that ran with the planned ones."""

from __future__ import annotations

import warnings
from dataclasses import asdict

import keras

from shared.kernels.plan import LayerPlan
from shared.kernels.proof import KernelWarning, list_differences, prove_kernels
from shared.runs.writer import RunFolder


class KernelRecord(keras.callbacks.Callback):
    """Writes `kernels.json` after the first training step."""

    def __init__(self, plans: list[LayerPlan], folder: RunFolder) -> None:
        """Remember what to compare.

        Args:
            plans: The kernel that each recurrent layer should run on.
            folder: An open run folder.
        """
        super().__init__()
        self.plans = plans
        self.folder = folder
        self.checked = False

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Check the graph once, and warn about kernels that were not planned."""
        if self.checked:
            return
        self.checked = True
        record = {
            "planned": [asdict(p) | {"description": p.describe()} for p in self.plans]
        }
        try:
            proofs = prove_kernels(self.model, self.plans)
        except LookupError as error:
            self.folder.write_kernels(record | {"ran": None, "not_proved": str(error)})
            warnings.warn(f"Kernels not proved: {error}.", KernelWarning, stacklevel=2)
            return
        differences = list_differences(self.plans, proofs)
        record |= {"ran": [asdict(p) for p in proofs], "differences": differences}
        self.folder.write_kernels(record)
        for sentence in differences:
            warnings.warn(sentence, KernelWarning, stacklevel=2)
