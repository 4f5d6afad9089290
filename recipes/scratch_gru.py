"""Does a GRU written in NumPy learn exactly what Keras' GRU learns?

A GRU in NumPy (shared/cells/numpy_cells.py) learns the task of `sine-next-step-gru`.
Its gradient was derived by hand. Keras' GRU trains from the same weights on the same
batches. Both losses agree up to rounding (keras_comparison.csv and .png).

    make scratch-gru        python recipes/scratch_gru.py --update-gate writes

The losses differ by at most 1.5e-08, and by 2.1e-17 with `--dtype float64`.
Compare with `make sine-next-step-gru`, Keras' layer on the same data.
Reference result: results/reference/controlled.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.generated import sine_baselines
from shared.cells.numpy_config import NumpyGRUConfig
from shared.commands.recipe import main
from shared.core.errors import UserError
from shared.data.generated.sine import SineConfig, make_sine
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit
from shared.training.keras_comparison import fit_keras_twin, write_comparison_with_keras

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.runs.writer import RunFolder

VARIES = "sine-next-step-gru: a GRU in NumPy"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """The settings of `sine-next-step-gru`."""

    sine: SineConfig = SineConfig(
        frequency=0.01,
        time_step=1.0,
        noise=0.2,
        lookback=4,
        delay=1,
        phase="random",
        points=1_400,
        train_points=600,
        validation_points=400,
        test_points=400,
    )
    gru: NumpyGRUConfig = NumpyGRUConfig(units=20)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam",
        learning_rate=0.01,
        batch_size=32,
        epochs=30,
        schedule="cosine",
    )

    def validate(self) -> None:
        """Refuse XLA, which cannot compile NumPy code."""
        if self.training.jit == "on":
            raise UserError(
                "--jit on: XLA cannot compile NumPy code. Omit the flag, or use "
                "sine-next-step-gru."
            )


def load_data(config: Config) -> Splits:
    """Return the examples, split into train, validation and test."""
    return make_sine(config.sine, config.training.seed)


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return windows (batch, steps, 1) -> a later sample (batch, 1)."""
    from shared.cells.numpy_layer import NumpyGRU

    return _build_network(config, NumpyGRU(**config.gru.arguments(), name="gru"))


def _build_network(config: Config, gru: keras.Layer) -> keras.Model:
    from keras import Input, Model, layers

    dtype = config.gru.dtype
    window = Input((config.sine.lookback, 1), dtype=dtype, name="window")
    memory = gru(window)  # before Dense, since both draw a seed when they are built
    sample = layers.Dense(1, dtype=dtype, name="sample")(memory)
    return Model(window, sample, name="scratch_gru")


def run(config: Config, folder: RunFolder) -> None:
    """Train both GRUs once and write a run folder."""
    import keras

    keras.config.set_floatx(config.gru.dtype)  # of losses and metrics
    set_seed(config.training.seed)

    data = load_data(config)

    model = build_model(config, data)
    keras_gru = keras.layers.GRU(**config.gru.arguments(in_numpy=False), name="gru")
    keras_model = _build_network(config, keras_gru)
    for network in (model, keras_model):
        network.compile(
            optimizer=build_optimizer(config.training),
            loss=data.task.loss,
            metrics=data.task.metrics(),
            **config.training.compile_arguments(),
        )

    folder.open(data, sine_baselines(data, config.sine), model)
    keras_losses = fit_keras_twin(model, keras_model, data, config.training)
    record = fit(model, data, config.training, folder)

    write_comparison_with_keras(record.rows, keras_losses, folder)
    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
