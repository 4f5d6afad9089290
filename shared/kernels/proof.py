"""What a training step really ran on, read from the graph that TensorFlow traced.

The graph shows four things. A while loop of a layer is a node named after the layer.
cuDNN and calls of the compiled loop are ops of their own. A function that XLA compiles
has a mark. The number of matrix products in a loop's body separates implementation 1
(two per gate: six of a GRU, eight of an LSTM) from 2 (two, and a third where a GRU's
reset gate comes before the product).
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.kernels.plan import KernelPath, LayerPlan

if TYPE_CHECKING:
    import keras

LOOPS = {"While", "StatelessWhile"}
CALLS = {"PyFunc", "PyFuncStateless"}  # ops that call the compiled loop


class KernelWarning(UserWarning):
    """A layer ran on another kernel than planned."""


@dataclass(frozen=True)
class LayerProof:
    """What the graph shows of one recurrent layer.

    Attributes:
        layer: Its name.
        path: What its forward pass runs on.
        xla: Whether XLA compiles the function that holds it.
        implementation: 1 or 2; None for SimpleRNN, cuDNN and unrolled steps.
    """

    layer: str
    path: KernelPath
    xla: bool
    implementation: int | None


def prove_kernels(model: keras.Model, plans: list[LayerPlan]) -> list[LayerProof]:
    """Read from the graph of a training step which kernels ran.

    Args:
        model: After at least one training step.
        plans: Its layers, in order.

    Raises:
        LookupError: If this version of Keras stores its graph elsewhere, or names its
            layers in another way.
    """
    functions = _read_graph(model)
    return [_prove_layer(plan, functions) for plan in plans]


def list_differences(plans: list[LayerPlan], proofs: list[LayerProof]) -> list[str]:
    """Return a sentence for every difference between the plan and what ran."""
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
        raise LookupError(f"no traced training step found ({error!r})") from None
    graph = concrete.graph.as_graph_def()
    return {function.signature.name: function for function in graph.library.function}


def _prove_layer(plan: LayerPlan, functions: dict[str, Any]) -> LayerProof:
    # A layer's scope is its name, with a number if the name occurs twice.
    # A second tape names its loops over the steps of the first "gradients/...".
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
