"""Train Keras' GRU and the NumPy GRU from the same weights; compare their losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from shared.training.config import TrainingConfig, set_seed
from shared.training.fit import fit_quietly

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.runs.writer import RunFolder

Losses = Mapping[str, Sequence[float]]
COMPARISON = "keras_comparison"
"""Name of the files with both curves."""


def fit_keras_twin(
    model: keras.Model,
    twin: keras.Model,
    data: Splits,
    training: TrainingConfig,
) -> dict[str, list[float]]:
    """Train the Keras network from the first weights of the NumPy network.

    Sets the seed before and after. So a training that follows sees the same batches in
    the same order.

    Args:
        model: Compiled, not trained. Its layer `gru` is a `NumpyGRU`.
        twin: Compiled. The same network with `keras.layers.GRU`.
        data: Its examples train both.
        training: How both train.

    Returns:
        Loss and metrics per epoch, as `model.fit` gives them.
    """
    twin.set_weights(model.get_weights())
    ours = model.get_layer("gru")
    if ours.update_gate == "writes":
        weights = negate_update_gate(ours.get_weights(), ours.units)
        twin.get_layer("gru").set_weights(weights)
    set_seed(training.seed)
    print("Keras' GRU trains first, from the same weights on the same batches.")
    losses = fit_quietly(twin, data, training)
    set_seed(training.seed)
    return losses


def negate_update_gate(weights: Sequence[np.ndarray], units: int) -> list[np.ndarray]:
    """Return weights that compute the same with the opposite update gate.

    1 - sigmoid(a) = sigmoid(-a): every weight of the update gate changes its sign.

    Args:
        weights: Kernel, recurrent kernel and, if there is one, bias of a GRU.
        units: Size of the state. The numbers of the update gate come first.
    """
    negated = [np.array(values) for values in weights]
    for values in negated:
        values[..., :units] *= -1
    return negated


def write_comparison_with_keras(
    ours: Sequence[Losses], twin: Losses, folder: RunFolder
) -> None:
    """Write both curves and their differences, and print the largest one.

    `keras_comparison.csv` has a row per epoch: `loss` and `val_loss` of the NumPy
    network, those of the Keras network (`library_*`), and the larger of the two
    differences. `keras_comparison.txt` names the largest of all epochs. It is not
    written if no loss is a number. Of a training that stopped early, only its epochs
    are compared.

    Args:
        ours: A row per epoch, from the record.
        twin: From `fit_keras_twin`.
        folder: Still open.
    """
    names = ("loss", "val_loss")
    rows = []
    for k, row in enumerate(ours):
        pairs = {name: (row[name], twin[name][k]) for name in names}
        rows.append(
            {"epoch": k + 1}
            | {name: pairs[name][0] for name in names}
            | {f"library_{name}": pairs[name][1] for name in names}
            | {"difference": float(np.max([abs(a - b) for a, b in pairs.values()]))}
        )
    folder.write_table(COMPARISON, rows)
    numbers = [row for row in rows if np.isfinite(row["difference"])]
    if not numbers:
        return
    worst = max(numbers, key=lambda row: row["difference"])
    sentence = (
        "NumPy's GRU and Keras' GRU, from the same weights on the same batches: the "
        f"losses differ by at most {worst['difference']:.1e} (epoch {worst['epoch']} "
        f"of {len(rows)}, where val_loss is {worst['val_loss']:.4f})."
    )
    folder.write_text(COMPARISON, sentence + "\n")
    print(sentence)
