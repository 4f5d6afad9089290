"""SimpleRNN, LSTM and GRU in NumPy, forward and backward, formula by formula.

Nothing here needs Keras or TensorFlow. A cell holds its weights in Keras' shapes and
order, so `GRU(*layer.get_weights())` computes the same as the layer:

    cell = GRU(kernel, recurrent_kernel, bias)
    trace = cell.forward(inputs)                          # trace.outputs
    gradients = cell.backward(trace, d_outputs=...)       # gradients.kernel, ...

`step` is one step of a cell. `step_back`, below it, is its gradient by the chain rule.
`shared.cells.bptt` runs them over a sequence, forward and back.

In the formulas x is the input of a step, h (and LSTM's c) is the state before it, h'
and c' are the state after it. `*` multiplies element by element and `@` is the matrix
product. act is the activation of the candidate, gate is that of the gates. `d_x` is the
gradient of the loss by x. The dtype of the inputs is kept, float32 or float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.cells.bptt import ACTIVATIONS, Cell, CellActivation, State, Values


@dataclass(frozen=True)
class SimpleRNN(Cell):
    """Elman's network (1990, Cognitive Science 14): each step reads the last state.

    With kernel W (features, units), recurrent kernel U (units, units), bias b (units,):

        h' = act(x @ W + b + h @ U)
    """

    def step(self, x: np.ndarray, before: State) -> tuple[State, Values]:
        """Compute h'."""
        act, _ = ACTIVATIONS[self.activation]
        (h,) = before
        (from_x,), (from_h,) = self._project(x, h)
        return (act(from_x + from_h),), {}

    def step_back(
        self, x: np.ndarray, before: State, after: State, gates: Values, d_after: State
    ) -> tuple[np.ndarray, State, dict[str, np.ndarray]]:
        """Turn the gradient by h' into those by everything h' depends on."""
        _, slope = ACTIVATIONS[self.activation]
        (h,), (h_after,), (d_h_after,) = before, after, d_after
        d_sum = d_h_after * slope(h_after)
        d_x, d_h, weights = self._project_back(x, h, d_sum, d_sum)
        return d_x, (d_h,), weights


@dataclass(frozen=True)
class LSTM(Cell):
    """Hochreiter and Schmidhuber's cell with the forget gate of Gers et al.

    1997, Neural Computation 9, and 2000, Neural Computation 12. The weights of the four
    gates are columns in Keras' order: i (input), f (forget), g (candidate), o (output).
    With kernel W (features, 4 units), recurrent kernel U (units, 4 units) and bias b
    (4 units,):

        i = gate(x @ W_i + b_i + h @ U_i)      f, o likewise
        g = act(x @ W_g + b_g + h @ U_g)
        c' = f * c + i * g
        h' = o * act(c')

    Attributes:
        recurrent_activation: Of the gates i, f and o.
    """

    recurrent_activation: CellActivation = "sigmoid"

    num_gates = 4
    num_states = 2

    def step(self, x: np.ndarray, before: State) -> tuple[State, Values]:
        """Compute h', c' and the gates."""
        act, _ = ACTIVATIONS[self.activation]
        gate, _ = ACTIVATIONS[self.recurrent_activation]
        h, c = before
        i, f, g, o = map(np.add, *self._project(x, h))
        i, f, g, o = gate(i), gate(f), act(g), gate(o)
        c_after = f * c + i * g
        h_after = o * act(c_after)
        return (h_after, c_after), {"i": i, "f": f, "g": g, "o": o}

    def gather(self, after: State, gates: Values, d_after: State) -> State:
        """Add to the gradient by c' its part through h' = o * act(c')."""
        act, slope = ACTIVATIONS[self.activation]
        (_, c_after), (d_h_after, d_c_after) = after, d_after
        d_c_after = d_c_after + d_h_after * gates["o"] * slope(act(c_after))
        return d_h_after, d_c_after

    def step_back(
        self, x: np.ndarray, before: State, after: State, gates: Values, d_after: State
    ) -> tuple[np.ndarray, State, dict[str, np.ndarray]]:
        """Turn the gradients by h' and c' into those by everything they depend on."""
        act, slope = ACTIVATIONS[self.activation]
        _, gate_slope = ACTIVATIONS[self.recurrent_activation]
        (h, c), (_, c_after), (d_h_after, d_c_after) = before, after, d_after
        i, f, g, o = (gates[name] for name in "ifgo")
        d_i = d_c_after * g * gate_slope(i)
        d_f = d_c_after * c * gate_slope(f)
        d_g = d_c_after * i * slope(g)
        d_o = d_h_after * act(c_after) * gate_slope(o)
        d_sum = np.concatenate([d_i, d_f, d_g, d_o], axis=1)
        d_x, d_h, weights = self._project_back(x, h, d_sum, d_sum)
        return d_x, (d_h, d_c_after * f), weights


@dataclass(frozen=True)
class GRU(Cell):
    """The gated recurrent unit of Cho et al. (2014, arXiv 1406.1078).

    The weights of the three gates are columns in Keras' order: z (update), r (reset),
    n (candidate). With kernel W (features, 3 units), recurrent kernel U
    (units, 3 units), bias b and, where `reset_after`, a bias e by the state:

        z = gate(x @ W_z + b_z + h @ U_z + e_z)     r likewise

    With `reset_after`, the reset gate is applied after the product with U_n (the first
    version of the paper, cuDNN, PyTorch, Keras' default; biases (2, 3 units), b above
    e). Without, it is applied before (the third version of the paper; bias (3 units,),
    e is 0):

        n = act(x @ W_n + b_n + r * (h @ U_n + e_n))
        n = act(x @ W_n + b_n + (r * h) @ U_n)

    The update gate is the share of h to keep (Cho et al., eq. 7; Keras, PyTorch, cuDNN)
    or the share of n to write (Chung et al. 2014, arXiv 1412.3555):

        h' = z * h + (1 - z) * n               update_gate="keeps"
        h' = (1 - z) * h + z * n               update_gate="writes"

    With sigmoid gates both are the same network, since 1 - sigmoid(a) = sigmoid(-a).
    Change the signs of W_z, U_z, b_z and e_z to turn one into the other.

    Attributes:
        recurrent_activation: Of the gates z and r.
        reset_after: Whether the reset gate comes after the product.
        update_gate: What an open update gate does.
    """

    recurrent_activation: CellActivation = "sigmoid"
    reset_after: bool = True
    update_gate: Literal["keeps", "writes"] = "keeps"

    num_gates = 3

    @property
    def has_two_biases(self) -> bool:
        """Whether the state has a bias of its own, which r can scale."""
        return self.reset_after

    def step(self, x: np.ndarray, before: State) -> tuple[State, Values]:
        """Compute h', the gates, n, and h_n = h @ U_n + e_n."""
        act, _ = ACTIVATIONS[self.activation]
        gate, _ = ACTIVATIONS[self.recurrent_activation]
        (h,) = before
        (x_z, x_r, x_n), (h_z, h_r, h_n) = self._project(x, h)
        z, r = gate(x_z + h_z), gate(x_r + h_r)
        if self.reset_after:
            n = act(x_n + r * h_n)
        else:
            n = act(x_n + (r * h) @ self._candidate_weights)
        kept = z if self.update_gate == "keeps" else 1 - z
        return (kept * h + (1 - kept) * n,), {"z": z, "r": r, "n": n, "h_n": h_n}

    def step_back(
        self, x: np.ndarray, before: State, after: State, gates: Values, d_after: State
    ) -> tuple[np.ndarray, State, dict[str, np.ndarray]]:
        """Turn the gradient by h' into those by everything h' depends on."""
        _, slope = ACTIVATIONS[self.activation]
        _, gate_slope = ACTIVATIONS[self.recurrent_activation]
        (h,), (d_h_after,) = before, d_after
        z, r, n = gates["z"], gates["r"], gates["n"]
        kept = z if self.update_gate == "keeps" else 1 - z
        d_kept = d_h_after * (h - n)
        d_z = (d_kept if self.update_gate == "keeps" else -d_kept) * gate_slope(z)
        d_n = d_h_after * (1 - kept) * slope(n)
        d_h = d_h_after * kept
        if self.reset_after:
            d_r = d_n * gates["h_n"] * gate_slope(r)
            d_h_n = d_n * r
        else:
            d_reset = d_n @ self._candidate_weights.T
            d_r = d_reset * h * gate_slope(r)
            d_h = d_h + d_reset * r
            d_h_n = np.zeros_like(d_n)  # U_n reads r * h instead
        from_x = np.concatenate([d_z, d_r, d_n], axis=1)
        from_h = np.concatenate([d_z, d_r, d_h_n], axis=1)
        d_x, d_h_gates, weights = self._project_back(x, h, from_x, from_h)
        if not self.reset_after:
            weights["recurrent_kernel"][:, 2 * self.units :] = (r * h).T @ d_n
        return d_x, (d_h + d_h_gates,), weights

    @property
    def _candidate_weights(self) -> np.ndarray:
        """U_n, (units, units)."""
        return self.recurrent_kernel[:, 2 * self.units :]
