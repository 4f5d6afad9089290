"""The comparison of `make equivalence`, on small odd sizes."""

import csv

import numpy as np
import pytest

from shared.studies.equivalence import __main__ as command
from shared.studies.equivalence import implementations
from shared.studies.equivalence.cases import (
    CELLS,
    DTYPES,
    NETWORKS,
    PADDINGS,
    Case,
    Sizes,
    compute_with_cells,
    list_cases,
    measure_distance,
)
from shared.studies.equivalence.equivalence_table import compare_all, compare_result
from shared.studies.equivalence.torch_weights import NAMES, from_torch, to_torch

slow = pytest.mark.slow
SMALL = Sizes(batch=3, steps=5, features=2, units=4)
SLOW = ("Keras, XLA", "SavedModel", "ONNX", "LiteRT, unrolled")  # compile or convert
EVERYWHERE = {
    "NumPy cells", "Keras, impl. 1", "Keras, unrolled", "compiled loop",
    ".keras, reloaded",
}  # fmt: skip


@pytest.fixture
def only(monkeypatch):
    def choose(names):
        every = implementations.IMPLEMENTATIONS
        kept = {name: every[name] for name in every if name in names}
        assert len(kept) == len(names)
        monkeypatch.setattr(implementations, "IMPLEMENTATIONS", kept)

    return choose


def check_cases(cases):
    rows = compare_all(cases)
    assert not [row for row in rows if row["state"] == "differs"]
    found = {row["way"] for row in rows if row["state"] == "same"}
    assert found >= EVERYWHERE
    assert all(row["gradients"] is not None for row in rows if row["state"] == "same")


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=slow)])
@pytest.mark.parametrize("cell", CELLS)
def test_every_implementation_computes_the_same(cell, dtype, only):
    only(set(implementations.IMPLEMENTATIONS) - set(SLOW))
    # Each network with one of the three paddings, and with another one in each dtype.
    shift = DTYPES.index(dtype)
    check_cases(
        [
            Case(cell, network, PADDINGS[(k + shift) % 3], dtype, SMALL)
            for k, network in enumerate(NETWORKS)
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS)
def test_every_network_reads_every_padding(cell, dtype, only):
    only(set(implementations.IMPLEMENTATIONS) - set(SLOW))
    check_cases([c for c in list_cases(SMALL) if (c.cell, c.dtype) == (cell, dtype)])


@pytest.mark.parametrize(
    "cell", [c if c == "GRU" else pytest.param(c, marks=slow) for c in CELLS]
)
def test_xla_and_exported_forms_compute_the_same(cell, only):
    only(SLOW)
    rows = compare_all([Case(cell, "one layer", "right", "float32", SMALL)])

    states = {row["way"]: row["state"] for row in rows}
    assert states["Keras, XLA"] == states["SavedModel"] == "same"
    assert "differs" not in states.values()
    assert all(row["reason"] for row in rows if row["state"] == "cannot")


def test_keras_still_zeroes_the_wrong_steps_of_an_unrolled_backward_layer():
    """If this fails, Keras is fixed. Then remove `_refuse_wrong_zeros` and the refusal
    in imdb_bidirectional_lstm."""
    case = Case("GRU", "bidirectional", "right", "float32", SMALL)
    reference = compute_with_cells(case, "float64")
    unrolled = implementations.build_network(case, steps=SMALL.steps, unroll=True)
    units = SMALL.units
    result = implementations.differentiate(unrolled, case)
    wrong = np.abs(result.outputs - reference.outputs)[case.mask] > 1e-5
    assert not wrong[:, :units].any()  # forward
    assert wrong[:, units:].any()


def test_padded_steps_change_nothing():
    for padding in ("left", "right"):
        case = Case("GRU", "stacked", padding, "float64", SMALL)
        result = compute_with_cells(case, "float64")
        for k, length in enumerate(case.lengths):
            part = slice(-length, None) if padding == "left" else slice(length)
            alone = Case("GRU", "stacked", "none", "float64", SMALL)
            vars(alone)["inputs"] = case.inputs[k : k + 1, part]
            vars(alone)["mask"] = case.mask[k : k + 1, part]
            vars(alone)["loss_weights"] = case.loss_weights[k : k + 1, part]
            unpadded = compute_with_cells(alone, "float64")
            np.testing.assert_allclose(result.outputs[k, part], unpadded.outputs[0])
            np.testing.assert_allclose(
                result.gradients[0][k, part], unpadded.gradients[0][0]
            )
        outside = result.gradients[0][~case.mask]
        assert outside.size
        assert not outside.any()


def test_a_case_is_the_same_in_both_precisions_and_has_a_whole_sequence():
    cases = list(list_cases(SMALL))
    assert len(cases) == len(CELLS) * len(NETWORKS) * len(PADDINGS) * len(DTYPES)
    for case in cases:
        other = Case(case.cell, case.network, case.padding, "float32", SMALL)
        np.testing.assert_array_equal(case.inputs, other.inputs)
        assert case.lengths.max() == SMALL.steps
        assert (case.padding == "none") == case.mask.all()


def test_a_difference_is_found_in_outputs_and_in_gradients():
    case = Case("LSTM", "bidirectional", "left", "float64", SMALL)
    reference = compute_with_cells(case, "float64")
    again = compute_with_cells(case, "float64")
    assert measure_distance(case, again, reference) == (0, 0)

    row, step = np.argwhere(case.mask)[0]
    again.outputs[row, step, 0] += 1e-3
    outputs, gradients = measure_distance(case, again, reference)
    assert outputs == pytest.approx(1e-3)
    assert gradients == 0

    again.gradients[2][0, 0] += 2e-3 * np.abs(reference.gradients[2]).max()
    assert measure_distance(case, again, reference)[1] == pytest.approx(2e-3)

    again.gradients[2][0, 0] = np.nan
    assert compare_result(case, again, reference)["state"] == "differs"


def test_the_command_writes_its_table_and_fails_on_a_difference(
    tmp_path, monkeypatch, capsys
):
    def refuse(case):
        raise implementations.CannotError("never can")

    def wrong(case):
        result = compute_with_cells(case, case.dtype)
        result.outputs[case.mask] += 2e-5
        return result

    case = Case("GRU", "one layer", "left", "float32", SMALL)
    monkeypatch.setattr(command, "list_cases", lambda sizes: [case])
    cells = implementations.IMPLEMENTATIONS["NumPy cells"]
    chosen = {"NumPy cells": cells, "nobody": refuse}
    monkeypatch.setattr(implementations, "IMPLEMENTATIONS", chosen)
    command.main(["--to", str(tmp_path)])
    with (tmp_path / "equivalence.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["same", "cannot"]
    assert "nobody: never can" in (tmp_path / "equivalence.md").read_text()

    more = chosen | {"wrong way": wrong}
    monkeypatch.setattr(implementations, "IMPLEMENTATIONS", more)
    with pytest.raises(SystemExit) as stopped:
        command.main(["--to", str(tmp_path)])
    assert stopped.value.code == 1
    assert "Differs: wrong way (GRU, one layer, left" in capsys.readouterr().err


def test_sizes_that_leave_nothing_to_compare_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--steps", "1", "--to", str(tmp_path / "new")])
    assert stopped.value.code == 2
    assert "--steps 1" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_weights_convert_to_pytorch_and_back(cell):
    case = Case(cell, "one layer", "none", "float32", SMALL)
    (weights,) = case.weights
    arrays = to_torch(cell, weights)
    units = SMALL.units
    gates = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[cell]
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes == {
        "weight_ih": (gates * units, SMALL.features),
        "weight_hh": (gates * units, units),
        "bias_ih": (gates * units,),
        "bias_hh": (gates * units,),
    }
    for there, back in zip(weights, from_torch(cell, arrays), strict=True):
        np.testing.assert_array_equal(there, back)


def test_pytorch_has_the_reset_gate_first_and_two_biases_of_the_lstm_are_one():
    kernel = np.arange(6, dtype="float32")[None] * np.ones((2, 1), "float32")
    bias = np.arange(12, dtype="float32").reshape(2, 6)
    arrays = to_torch("GRU", [kernel, kernel, bias])  # two units: z z r r n n
    assert arrays["weight_ih"][:, 0].tolist() == [2, 3, 0, 1, 4, 5]
    assert arrays["bias_hh"].tolist() == [8, 9, 6, 7, 10, 11]

    ones = dict.fromkeys(NAMES, np.ones((8, 2), "float32"))
    ones |= {"bias_ih": np.ones(8, "float32"), "bias_hh": np.full(8, 2.0, "float32")}
    assert from_torch("LSTM", ones)[2].tolist() == [3.0] * 8
    assert from_torch("LSTM", ones, gradients=True)[2].tolist() == [1.0] * 8
