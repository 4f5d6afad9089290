"""Run a recurrent cell over a sequence, and backpropagate through time (NumPy only).

The backward pass is backpropagation through time (Werbos 1990, Proceedings of the IEEE
78). It goes from the last step to the first. Each step turns the gradient of the loss
by the state after it into three gradients: by the state before it, by its input, and by
the weights. Those by the weights are summed over the steps. `shared.cells.numpy_cells`
has the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

State = tuple[np.ndarray, ...]
"""(h,), and of an LSTM (h, c), each (batch, units)."""
Values = Mapping[str, np.ndarray]
CellActivation = Literal["tanh", "sigmoid", "relu", "linear"]
# Each function, and its slope as a function of its output: tanh' = 1 - tanh^2.
ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "tanh": (np.tanh, lambda y: 1 - y * y),
    # 1 / (1 + exp(-x)), in a form that cannot overflow
    "sigmoid": (lambda x: 0.5 + 0.5 * np.tanh(0.5 * x), lambda y: y * (1 - y)),
    "relu": (lambda x: np.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
    "linear": (lambda x: x, np.ones_like),
}


@dataclass(frozen=True)
class Trace:
    """All values of a cell on its way through a batch of sequences.

    Attributes:
        inputs: (batch, steps, features); 0 where masked.
        mask: bool, (batch, steps): which steps were read.
        states: h, and of an LSTM c, each (batch, steps + 1, units): before the first
            step and after every one.
        gates: Other values of a step by name, each (batch, steps, units); without
            meaning where masked.
    """

    inputs: np.ndarray
    mask: np.ndarray
    states: State
    gates: Values

    @property
    def begun(self) -> np.ndarray:
        """bool, (batch, steps): whether this step or an earlier one was read."""
        return np.logical_or.accumulate(self.mask, axis=1)

    @property
    def outputs(self) -> np.ndarray:
        """(batch, steps, units): h after every step; 0 before the first step read."""
        return np.where(self.begun[:, :, None], self.states[0][:, 1:], 0)

    @property
    def final_state(self) -> State:
        """The state after the last step."""
        return tuple(values[:, -1] for values in self.states)


@dataclass(frozen=True)
class Gradients:
    """Gradients of a loss.

    Attributes:
        inputs: (batch, steps, features).
        initial_state: By h, and of an LSTM by c, before the first step.
        states: By h, and of an LSTM by c, after every step, each (batch, steps,
            units). A state acts on the loss through the output of its step and through
            all later steps. The gradient by c includes its effect through the h of the
            same step. A masked step passes on a copy of the state; its gradient is
            that by the copy.
        kernel: As the weights.
        recurrent_kernel: As the weights.
        bias: As the weights; None where there is none.
    """

    inputs: np.ndarray
    initial_state: State
    states: State
    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray | None


@dataclass(frozen=True)
class Cell:
    """What the three cells share: weights, and the loop over a sequence.

    Attributes:
        kernel: (features, gates * units).
        recurrent_kernel: (units, gates * units).
        bias: (gates * units,), of some GRUs (2, gates * units), or None.
        activation: Of the candidate (SimpleRNN: of the state).
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray | None = None
    activation: CellActivation = "tanh"

    num_gates = 1  # blocks of weights, with the candidate's
    num_states = 1

    def __post_init__(self) -> None:
        """Refuse weights that NumPy would broadcast.

        Raises:
            ValueError: If a shape or an activation is wrong.
        """
        wide = self.num_gates * self.units
        expected = {"kernel": (len(self.kernel), wide)}
        expected["recurrent_kernel"] = (self.units, wide)
        if self.bias is not None:
            expected["bias"] = (2, wide) if self.has_two_biases else (wide,)
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                found = getattr(self, name).shape
                raise ValueError(f"{name} has shape {found}, not {shape}.")
        for name in ("activation", "recurrent_activation"):
            if (kind := getattr(self, name, "tanh")) not in ACTIVATIONS:
                raise ValueError(f"{name} {kind!r}: takes {', '.join(ACTIVATIONS)}.")

    @property
    def units(self) -> int:
        """Size of the state."""
        return len(self.recurrent_kernel)

    @property
    def has_two_biases(self) -> bool:
        """Whether the state has a bias of its own."""
        return False

    def step(self, x: np.ndarray, before: State) -> tuple[State, Values]:
        """Return the state after a step, and the other values of the step by name.

        Args:
            x: (batch, features).
            before: The state before the step.
        """
        raise NotImplementedError

    def step_back(
        self, x: np.ndarray, before: State, after: State, gates: Values, d_after: State
    ) -> tuple[np.ndarray, State, dict[str, np.ndarray]]:
        """Return the gradients by x, by the state before, and by the weights.

        Args:
            x: (batch, features).
            before: The state before the step.
            after: The state after it.
            gates: The other values that `step` computed.
            d_after: Gradient by the state after the step, from `gather`.
        """
        raise NotImplementedError

    def gather(self, after: State, gates: Values, d_after: State) -> State:
        """Return the gradient by each part of a state, through its other parts too."""
        return d_after

    def forward(
        self,
        inputs: np.ndarray,
        initial_state: Sequence[np.ndarray] | None = None,
        mask: np.ndarray | None = None,
    ) -> Trace:
        """Read a batch of sequences.

        Args:
            inputs: (batch, steps, features).
            initial_state: The state before the first step; None is 0.
            mask: bool, (batch, steps): which steps to read; None is all. A masked step
                keeps the state and repeats the output of the step before. Its output
                is 0 where no step was read before, whatever the state (as in Keras).
        """
        batch, steps, _ = inputs.shape
        if mask is None:
            mask = np.ones((batch, steps), bool)
        mask = np.asarray(mask, bool)
        inputs = np.where(mask[:, :, None], inputs, 0)
        if initial_state is None:
            dtype = np.result_type(inputs, self.kernel)
            initial_state = [np.zeros((batch, self.units), dtype)] * self.num_states
        states, all_gates = [tuple(initial_state)], []
        for t in range(steps):
            after, gates = self.step(inputs[:, t], states[-1])
            states.append(_choose(mask[:, t], after, states[-1]))
            all_gates.append(gates)
        return Trace(
            inputs,
            mask,
            tuple(np.stack(values, axis=1) for values in zip(*states, strict=True)),
            {k: np.stack([g[k] for g in all_gates], axis=1) for k in all_gates[0]},
        )

    def backward(
        self,
        trace: Trace,
        d_outputs: np.ndarray | None = None,
        d_state: Sequence[np.ndarray] | None = None,
    ) -> Gradients:
        """Go back over a batch of sequences, from the last step to the first.

        Args:
            trace: From `forward`.
            d_outputs: Gradient of the loss by `trace.outputs`; None is 0.
            d_state: Gradient of the loss by `trace.final_state`; None is 0. It does
                not include the last output, which is in `d_outputs`.
        """
        zeros = tuple(np.zeros_like(values[:, 0]) for values in trace.states)
        d_after = zeros if d_state is None else tuple(d_state)
        d_inputs, d_states = np.zeros_like(trace.inputs), []
        weights = {"kernel": 0, "recurrent_kernel": 0, "bias": 0}
        for t in reversed(range(trace.inputs.shape[1])):
            if d_outputs is not None:
                d_output = np.where(trace.begun[:, t, None], d_outputs[:, t], 0)
                d_after = (d_after[0] + d_output, *d_after[1:])
            before = tuple(values[:, t] for values in trace.states)
            after = tuple(values[:, t + 1] for values in trace.states)
            gates = {name: values[:, t] for name, values in trace.gates.items()}
            # Rows that did not read this step pass their gradient on unchanged.
            skipped = _choose(trace.mask[:, t], zeros, d_after)
            d_after = _choose(trace.mask[:, t], d_after, zeros)
            d_after = self.gather(after, gates, d_after)
            d_states.append(_add(d_after, skipped))
            d_inputs[:, t], d_before, d_weights = self.step_back(
                trace.inputs[:, t], before, after, gates, d_after
            )
            d_after = _add(d_before, skipped)
            weights = {name: weights[name] + d_weights[name] for name in weights}
        if self.bias is None:
            weights["bias"] = None
        in_order = zip(*reversed(d_states), strict=True)
        d_states = tuple(np.stack(values, axis=1) for values in in_order)
        return Gradients(d_inputs, d_after, d_states, **weights)

    def _project(self, x: np.ndarray, h: np.ndarray) -> list[list[np.ndarray]]:
        """Return what each gate receives from x, and what from h, with the biases."""
        from_x, from_h = x @ self.kernel, h @ self.recurrent_kernel
        if self.has_two_biases and self.bias is not None:
            from_x, from_h = from_x + self.bias[0], from_h + self.bias[1]
        elif self.bias is not None:
            from_x = from_x + self.bias
        return [np.split(part, self.num_gates, axis=1) for part in (from_x, from_h)]

    def _project_back(
        self, x: np.ndarray, h: np.ndarray, d_x: np.ndarray, d_h: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Return the gradients by x, h and the weights of `_project`.

        Args:
            x: (batch, features).
            h: (batch, units).
            d_x: Gradient by what the gates received from x, (batch, gates * units).
            d_h: Gradient by what they received from h, likewise.
        """
        d_bias = d_x.sum(axis=0)
        if self.has_two_biases:
            d_bias = np.stack([d_bias, d_h.sum(axis=0)])
        weights = {"kernel": x.T @ d_x, "recurrent_kernel": h.T @ d_h, "bias": d_bias}
        return d_x @ self.kernel.T, d_h @ self.recurrent_kernel.T, weights


def _choose(which: np.ndarray, yes: State, no: State) -> State:
    """Return the rows of yes where `which`, bool (batch,), is true, else of no."""
    return tuple(
        np.where(which[:, None], one, other) for one, other in zip(yes, no, strict=True)
    )


def _add(one: State, other: State) -> State:
    return tuple(map(np.add, one, other))
