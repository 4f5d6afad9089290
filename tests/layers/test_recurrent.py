"""Layer flags: each reaches the Keras layer, and impossible ones are refused."""

import dataclasses
import inspect
import typing

import numpy as np
import pytest
from keras import Input, Model, layers, random

from shared.core.errors import UserError
from shared.layers import recurrent
from shared.layers.recurrent import (
    Context,
    GRUConfig,
    LSTMConfig,
    SimpleRNNConfig,
    build_bidirectional,
)

LAYERS = {
    SimpleRNNConfig: layers.SimpleRNN,
    LSTMConfig: layers.LSTM,
    GRUConfig: layers.GRU,
}
# Keras parameters without a flag. The docstring of the module has the reasons.
NO_FLAG = {"return_state", "stateful", "seed", "kwargs"}


@pytest.mark.parametrize("config_type", LAYERS, ids=lambda c: c.__name__)
def test_every_parameter_of_the_layer_is_a_flag_with_its_default(config_type):
    parameters = inspect.signature(LAYERS[config_type].__init__).parameters
    expected = set(parameters) - NO_FLAG - {"self"}
    if config_type is SimpleRNNConfig:
        expected -= {"activity_regularizer"}  # which SimpleRNN ignores
    else:
        expected |= {"implementation"}  # hidden in **kwargs
    passed = config_type(units=3).arguments()
    assert set(passed) == expected
    for name, value in passed.items():
        if name not in {"units", "implementation"}:
            assert value == parameters[name].default, name


@pytest.mark.parametrize("config_type", LAYERS, ids=lambda c: c.__name__)
def test_flags_reach_the_layer(config_type):
    changed = {
        "units": 5, "activation": "relu", "use_bias": False, "dropout": 0.25,
        "kernel_initializer": "he_normal", "recurrent_initializer": "identity",
        "kernel_regularizer": "l1_l2:0.5,0.25", "recurrent_regularizer": "l2:0.125",
        "kernel_constraint": "max_norm:2", "recurrent_constraint": "unit_norm",
        "bias_constraint": "non_neg", "bias_regularizer": "l1:0.5",
        "recurrent_dropout": 0.5, "return_sequences": True, "go_backwards": True,
        "unroll": True, "bias_initializer": "ones",
    }  # fmt: skip
    layer = LAYERS[config_type](**config_type(**changed).arguments())
    saved = layer.get_config()
    plain = {
        name: value for name, value in changed.items()
        if not name.endswith(("initializer", "regularizer", "constraint"))
    }  # fmt: skip
    for name, value in plain.items():
        assert saved[name] == value, name
    assert saved["kernel_initializer"]["class_name"] == "HeNormal"
    assert saved["recurrent_initializer"]["class_name"] == "Identity"
    assert saved["bias_initializer"]["class_name"] == "Ones"
    assert saved["kernel_regularizer"]["config"] == {"l1": 0.5, "l2": 0.25}
    assert saved["recurrent_regularizer"]["config"] == {"l2": 0.125}
    assert saved["bias_regularizer"]["config"] == {"l1": 0.5}
    assert saved["kernel_constraint"]["config"]["max_value"] == 2
    assert saved["recurrent_constraint"]["class_name"] == "UnitNorm"
    assert saved["bias_constraint"]["class_name"] == "NonNeg"


def test_flags_of_gated_layers_reach_them():
    changed = {"implementation": 1, "cudnn": "off", "recurrent_activation": "relu"}
    for config_type in (GRUConfig, LSTMConfig):
        config = config_type(units=2, activity_regularizer="l2:1", **changed)
        layer = LAYERS[config_type](**config.arguments())
        assert layer.cell.implementation == 1
        assert layer.use_cudnn is False
        assert layer.recurrent_activation.__name__ == "relu"
        assert layer.activity_regularizer is not None
    gru = layers.GRU(**GRUConfig(units=2, reset_after=False).arguments())
    assert gru.reset_after is False
    lstm = layers.LSTM(**LSTMConfig(units=2, unit_forget_bias=False).arguments())
    assert lstm.unit_forget_bias is False


def test_keras_accepts_every_listed_name():
    sequence = random.normal((2, 3, 4), seed=0)
    names = {
        "activation": recurrent.Activation,
        "recurrent_activation": recurrent.Activation,
        "kernel_initializer": recurrent.KernelInitializer,
        "recurrent_initializer": recurrent.KernelInitializer,
        "bias_initializer": recurrent.BiasInitializer,
    }
    for field, literal in names.items():
        for name in typing.get_args(literal):
            config = GRUConfig(units=5, **{field: name})
            output = layers.GRU(**config.arguments())(sequence)
            assert output.shape == (2, 5), (field, name)


@pytest.mark.parametrize("implementation", [1, 2])
@pytest.mark.parametrize("config_type", [GRUConfig, LSTMConfig])
def test_bidirectional_keeps_the_implementation(implementation, config_type):
    config = config_type(
        units=3, implementation=implementation, cudnn="off", dropout=0.5
    )
    layer = LAYERS[config_type](**config.arguments(return_sequences=True))
    wrapper = build_bidirectional(layer)
    inputs = Input((4, 2))
    model = Model(inputs, wrapper(inputs))
    assert model(np.ones((2, 4, 2)), training=True).shape == (2, 4, 6)
    for direction in (wrapper.forward_layer, wrapper.backward_layer):
        assert direction.cell.implementation == implementation
        assert direction.use_cudnn is False
    assert wrapper.backward_layer.go_backwards


REFUSED = [
    (GRUConfig, {"units": 0}, "--units 0"),
    (GRUConfig, {"units": -3}, "--units -3"),
    (GRUConfig, {"dropout": 1.0}, "--dropout 1.0"),
    (GRUConfig, {"dropout": float("nan")}, "--dropout nan"),
    (LSTMConfig, {"recurrent_dropout": -0.1}, "--recurrent-dropout -0.1"),
    (GRUConfig, {"kernel_regularizer": "l2"}, "--kernel-regularizer l2"),
    (GRUConfig, {"bias_regularizer": "l2:x"}, "--bias-regularizer l2:x"),
    (GRUConfig, {"recurrent_regularizer": "l1_l2:1"}, "--recurrent-regularizer"),
    (GRUConfig, {"activity_regularizer": "l1:-1"}, "--activity-regularizer"),
    (GRUConfig, {"kernel_regularizer": "l2:inf"}, "--kernel-regularizer"),
    (LSTMConfig, {"kernel_constraint": "max_norm"}, "--kernel-constraint"),
    (SimpleRNNConfig, {"implementation": 1}, "--implementation 1: SimpleRNN"),
    (SimpleRNNConfig, {"implementation": 2}, "--implementation 2: SimpleRNN"),
    (SimpleRNNConfig, {"cudnn": "on"}, "--cudnn on: Keras has no cuDNN path"),
    (GRUConfig, {"cudnn": "on", "recurrent_dropout": 0.2}, "--recurrent-dropout"),
    (GRUConfig, {"cudnn": "on", "activation": "relu"}, "--activation relu"),
    (LSTMConfig, {"cudnn": "on", "recurrent_activation": "relu"}, "needs sigmoid"),
    (LSTMConfig, {"cudnn": "on", "unroll": True}, "--unroll"),
    (LSTMConfig, {"cudnn": "on", "use_bias": False}, "--no-use-bias"),
    (GRUConfig, {"cudnn": "on", "reset_after": False}, "--no-reset-after"),
    (GRUConfig, {"cudnn": "on", "implementation": 1, "dropout": 0.1}, "--dropout"),
]


@pytest.mark.parametrize(("config_type", "flags", "message"), REFUSED, ids=str)
def test_impossible_flags_are_refused_by_name(config_type, flags, message):
    with pytest.raises(UserError, match=message):
        config_type(**{"units": 4} | flags).validate()


def test_cudnn_on_needs_a_gpu(monkeypatch):
    monkeypatch.setattr(recurrent, "count_gpus", lambda: 0)
    with pytest.raises(UserError, match="no GPU"):
        GRUConfig(units=4, cudnn="on").validate()
    monkeypatch.setattr(recurrent, "count_gpus", lambda: 1)
    GRUConfig(units=4, cudnn="on").validate()


def test_defaults_that_crash_keras_are_replaced_with_a_note():
    config = GRUConfig(units=4, kernel="keras")
    assert config.resolve_defaults(Context()) == (config, [])
    assert config.resolve_defaults(Context("right")) == (config, [])
    resolved, (note,) = config.resolve_defaults(Context("left"))
    assert resolved == dataclasses.replace(config, cudnn="off")
    assert "left padding" in note
    first = GRUConfig(units=4, implementation=1, dropout=0.1, kernel="keras")
    resolved, (note,) = first.resolve_defaults(Context())
    assert resolved.cudnn == "off"
    assert "implementation 1" in note
    with pytest.raises(UserError, match="--padding right"):
        GRUConfig(units=4, cudnn="on").resolve_defaults(Context("left"))


@pytest.mark.parametrize(
    ("flags", "context", "kernel", "cudnn"),
    [
        ({}, {}, "compiled", "auto"),
        ({}, {"mask_side": "left"}, "compiled", "auto"),
        ({}, {"gpus": 1}, "keras", "auto"),
        ({}, {"jit": "on"}, "keras", "off"),
        ({"kernel": "compiled"}, {"gpus": 1}, "compiled", "auto"),
        ({"kernel": "keras"}, {}, "keras", "auto"),
        ({"kernel": "auto"}, {"gpus": 1}, "auto", "auto"),
        ({"unroll": True}, {}, "keras", "auto"),
        ({"activation": "elu"}, {}, "keras", "auto"),
        ({"recurrent_activation": "hard_sigmoid"}, {}, "keras", "auto"),
        ({"activation": "relu"}, {}, "compiled", "auto"),
        ({"cudnn": "on"}, {"gpus": 1}, "keras", "on"),
        ({"cudnn": "off"}, {"gpus": 1}, "keras", "off"),
    ],
)
def test_the_default_kernel_is_resolved(flags, context, kernel, cudnn):
    context = Context(**{"gpus": 0} | context)
    resolved, _ = GRUConfig(units=4, **flags).resolve_defaults(context)
    assert (resolved.kernel, resolved.cudnn) == (kernel, cudnn)


@pytest.mark.parametrize(
    ("flags", "context", "message"),
    [
        ({"kernel": "compiled", "unroll": True}, {}, "cannot run with --unroll"),
        ({"kernel": "compiled", "activation": "elu"}, {}, "--activation elu"),
        ({"kernel": "compiled"}, {"jit": "on"}, "Keras' loop only"),
        ({"kernel": "auto"}, {"jit": "on"}, "auto tries it by itself"),
        ({"kernel": "auto", "unroll": True}, {}, "nothing to choose"),
        ({"cudnn": "on"}, {"jit": "on", "gpus": 1}, "XLA cannot compile"),
        ({"unroll": True}, {"even": False}, "--batching fixed"),
    ],
)
def test_impossible_kernels_are_refused(flags, context, message):
    with pytest.raises(UserError, match=message):
        GRUConfig(units=4, **flags).resolve_defaults(Context(**{"gpus": 0} | context))


def test_implementation_1_with_dropout_trains_once_resolved():
    config = GRUConfig(units=4, implementation=1, dropout=0.5, kernel="keras")
    resolved, _ = config.resolve_defaults(Context())
    inputs = Input((6, 3))
    state = layers.GRU(**resolved.arguments())(inputs)
    model = Model(inputs, layers.Dense(1)(state))
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 6, 3)), np.ones((8, 1)), verbose=0)
