"""Run one recurrent layer of one library, whenever a line of JSON asks for it.

    python benchmarks/peers/layer.py torch

Reads `{"cell": "GRU", "batch": 64, "steps": 100, "units": 32, "backward": true}` and
answers `{"ms": 12.3}`. `benchmarks/layers.py` starts it. The features are as many as
the units. Only the last state leaves the layer.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable

LONG_ENOUGH = 0.1  # seconds; shorter calls are repeated


def measure_peak() -> Callable[[dict], Callable[[], None]]:
    """Time a large product of NumPy."""
    import numpy as np

    large = np.random.default_rng(0).normal(size=(1024, 1024)).astype("float32")
    out = np.empty_like(large)
    return lambda case: lambda: np.dot(large, large, out)


def run_tensorflow(library: str) -> Callable[[dict], Callable[[], None]]:
    """Time Keras' layer on our loop, on its own, under XLA; or TensorFlow's block."""
    import keras
    import tensorflow as tf

    if library == "compiled":
        from shared.kernels.compiled import find_problem, use_compiled_loop

        if problem := find_problem():
            raise ImportError(problem)

    def build(case: dict) -> Callable[[], None]:
        units = case["units"]
        x = tf.random.normal((case["batch"], case["steps"], units))
        if library == "block":
            kernel = tf.Variable(tf.random.normal((2 * units, 4 * units)) * 0.05)
            bias = tf.Variable(tf.zeros(4 * units))
            zeros, peep = tf.zeros((case["batch"], units)), tf.zeros(units)
            weights = [kernel, bias]
            steps = tf.constant(case["steps"], tf.int64)

            def forward() -> tf.Tensor:
                return tf.raw_ops.BlockLSTMV2(
                    seq_len_max=steps, x=tf.transpose(x, (1, 0, 2)), cs_prev=zeros,
                    h_prev=zeros, w=kernel, wci=peep, wcf=peep, wco=peep, b=bias,
                    cell_clip=0.0, use_peephole=False,
                ).h[-1]  # fmt: skip
        else:
            layer = getattr(keras.layers, case["cell"])(units)
            layer.build(x.shape)
            if library == "compiled":
                use_compiled_loop(layer)
            weights = [variable.value for variable in layer.trainable_variables]

            def forward() -> tf.Tensor:
                return layer(x, training=case["backward"])

        @tf.function(jit_compile=library == "xla")
        def run() -> list[tf.Tensor]:
            if not case["backward"]:
                return [forward()]
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(forward())
            return tape.gradient(loss, [x, *weights])

        return lambda: run()[-1].numpy()

    return build


def run_torch() -> Callable[[dict], Callable[[], None]]:
    """Time PyTorch's layer."""
    import torch

    names = {"SimpleRNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}

    def build(case: dict) -> Callable[[], None]:
        units = case["units"]
        layer = names[case["cell"]](units, units, batch_first=True)
        x = torch.randn(case["batch"], case["steps"], units, requires_grad=True)

        def run() -> None:
            if case["backward"]:
                layer.zero_grad()
                x.grad = None
                layer(x)[0][:, -1].sum().backward()
            else:
                with torch.inference_mode():
                    layer(x)

        return run

    return build


def run_onnx() -> Callable[[dict], Callable[[], None]]:
    """Time ONNX Runtime's layer, forward."""
    import numpy as np
    import onnx
    import onnxruntime

    names = {"SimpleRNN": ("RNN", 1), "LSTM": ("LSTM", 4), "GRU": ("GRU", 3)}

    def build(case: dict) -> Callable[[], None]:
        units, (kind, gates) = case["units"], names[case["cell"]]
        draw = np.random.default_rng(0)
        shape = (case["steps"], case["batch"], units)
        weights = {
            "w": (draw.normal(size=(1, gates * units, units)) * 0.05).astype("f"),
            "r": (draw.normal(size=(1, gates * units, units)) * 0.05).astype("f"),
        }
        more = {"linear_before_reset": 1} if kind == "GRU" else {}
        node = onnx.helper.make_node(
            kind, ["x", "w", "r"], ["", "h"], hidden_size=units, **more
        )
        numbers = onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            [node], "layer",
            [onnx.helper.make_tensor_value_info("x", numbers, shape)],
            [onnx.helper.make_tensor_value_info("h", numbers, (1, *shape[1:]))],
            [onnx.numpy_helper.from_array(value, name)
             for name, value in weights.items()],
        )  # fmt: skip
        model = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9
        )
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        x = draw.normal(size=shape).astype("f")
        return lambda: session.run(None, {"x": x})

    return build


def main() -> None:
    """Answer until the input ends."""
    library = sys.argv[1]
    start = {"peak": measure_peak, "torch": run_torch, "onnxruntime": run_onnx}.get(
        library, functools.partial(run_tensorflow, library)
    )
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the loop is compiled once
            build = start()
    except ImportError:
        print("missing", flush=True)
        return
    print("ready", flush=True)
    known, run = None, None
    for line in sys.stdin:
        case = json.loads(line)
        if case != known or run is None:
            known, run = case, build(case)
            run()
        print(json.dumps({"ms": measure(run)}), flush=True)


def measure(run: Callable[[], None]) -> float:
    """Return milliseconds of a call: the mean of several, if one is short.

    A call before them brings the data into the caches.
    """
    run()
    count, begin = 0, time.perf_counter()
    while (took := time.perf_counter() - begin) < LONG_ENOUGH or not count:
        run()
        count += 1
    return 1000 * took / count


if __name__ == "__main__":
    main()
