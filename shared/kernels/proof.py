"""What a training step really ran on, read from the graph that TensorFlow traced.

A while loop of a layer is a node named after it; cuDNN and a call of the compiled loop
are ops of their own; a function
that XLA compiles is marked; and how many matrix products stand in a loop's body tells
implementation 1 (two per gate: six of a GRU, eight of an LSTM) from 2 (two, and a third
where a GRU's reset gate stands before the product).
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.kernels.plan import LayerPlan, Path

if TYPE_CHECKING:
    import keras

LOOPS = {"While", "StatelessWhile"}
CALLS = {"PyFunc", "PyFuncStateless"}  # what the compiled loop is called through


class KernelWarning(UserWarning):
    """A layer ran on another kernel than the rules say."""


@dataclass(frozen=True)
class LayerProof:
    """What the graph shows of one recurrent layer.

    Attributes:
        layer: Its name.
        path: What its forward pass runs on.
        xla: Whether it stands in a function that XLA compiles.
        implementation: 1 or 2; None for SimpleRNN, cuDNN and unrolled steps.
    """

    layer: str
    path: Path
    xla: bool
    implementation: int | None


def prove_kernels(model: keras.Model, plans: list[LayerPlan]) -> list[LayerProof]:
    """Look at the graph of a training step that has run.

    Args:
        model: After at least one training step.
        plans: Its layers, in order.

    Raises:
        LookupError: If this version of Keras keeps its graph somewhere else, or names
            its layers in another way.
    """
    functions = _read_graph(model)
    return [_prove_layer(plan, functions) for plan in plans]


def list_differences(plans: list[LayerPlan], proofs: list[LayerProof]) -> list[str]:
    """Return a sentence for everything that ran other than planned."""
    differences = []
    for plan, proof in zip(plans, proofs, strict=True):
        for name in ("path", "xla", "implementation"):
            planned, seen = getattr(plan, name), getattr(proof, name)
            known = name != "implementation" or plan.path == "loop"
            if known and planned != seen:
                differences.append(
                    f"{plan.layer}: {name} {seen} ran, {planned} was planned."
                )
    return differences


def _read_graph(model: keras.Model) -> dict[str, Any]:
    """Return the functions of the traced training step by name."""
    try:
        names = inspect.getclosurevars(model.train_function).nonlocals
        (concrete, *_) = names["multi_step_on_iterator"]._list_all_concrete_functions()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LookupError(f"no traced training step to look at ({error!r})") from None
    graph = concrete.graph.as_graph_def()
    return {function.signature.name: function for function in graph.library.function}


def _prove_layer(plan: LayerPlan, functions: dict[str, Any]) -> LayerProof:
    # A layer's scope is its name, with a number where the name stands twice.
    # A second tape calls its loops over the steps of the first "gradients/...".
    name = rf"{re.escape(plan.layer)}(_\d+)?"
    scope = re.compile(rf"^(?!gradient_tape/|gradients/).*/{name}/")
    path, xla, implementation, products = "unrolled", False, None, 0
    for function in functions.values():
        for node in function.node_def:
            if not scope.match(node.name):
                continue
            xla = xla or function.attr["_XlaMustCompile"].b
            products += node.op == "MatMul"
            if node.op.startswith("CudnnRNN"):
                path = "cuDNN"
            elif node.op in CALLS:
                path = "compiled"
            elif node.op in LOOPS and path != "cuDNN":
                path = "loop"
                body = functions[node.attr["body"].func.name]
                in_loop = sum(inner.op == "MatMul" for inner in body.node_def)
                implementation = 2 if in_loop <= 3 else 1
    if path == "unrolled" and not products:
        raise LookupError(f"no trace of layer {plan.layer} in the graph")
    if plan.kind == "SimpleRNN" or path != "loop":
        implementation = None
    return LayerProof(plan.layer, path, xla, implementation)
