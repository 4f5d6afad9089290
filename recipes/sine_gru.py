"""Does a GRU forecast a noisy sine better than a linear model?

Reads ten noisy samples and predicts the sample three steps after the last of them. The
best linear model and the best possible model are known and drawn as lines. A network
between the two has learnt something nonlinear: the amplitude is 1.

    make sine-gru        python recipes/sine_gru.py --delay 4

The tutorial calls its target "delay 3", but takes the fourth sample: --delay 4.
Compare with another size: `make sine-gru ARGS="--units 64"`.
Reference result: results/reference/controlled.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.generated import sine_baselines
from shared.commands.recipe import main
from shared.data.generated.sine import SineConfig, make_sine
from shared.layers.recurrent import GRUConfig
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.runs.writer import RunFolder

VARIES = "a task of its own"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """The settings of the tutorial, with a longer series."""

    sine: SineConfig = SineConfig(
        frequency=0.3,
        time_step=0.1,
        noise=0.1,
        lookback=10,
        delay=3,
        phase="running",  # one series, split in time
        points=40_000,  # 191 periods of 209 samples
        train_points=20_000,
        validation_points=5_000,
        test_points=15_000,
    )
    gru: GRUConfig = GRUConfig(units=32)
    training: TrainingConfig = TrainingConfig(
        optimizer="rmsprop",
        learning_rate=0.01,
        batch_size=128,
        epochs=40,
        schedule="cosine",  # a constant 0.01 ends above the best linear model
    )


def load_data(config: Config) -> Splits:
    """Return the examples, split into train, validation and test."""
    return make_sine(config.sine, config.training.seed)


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return windows (batch, steps, 1) -> a later sample (batch, 1)."""
    from keras import Input, Model, layers

    window = Input((config.sine.lookback, 1), name="window")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(window)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    sample = layers.Dense(1, name="sample")(memory)
    return Model(window, sample, name="sine_gru")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and write a run folder."""
    set_seed(config.training.seed)

    data = load_data(config)

    model = build_model(config, data)
    model.compile(
        optimizer=build_optimizer(config.training),
        loss=data.task.loss,
        metrics=data.task.metrics(),
        **config.training.compile_arguments(),
    )

    folder.open(data, sine_baselines(data, config.sine), model)
    record = fit(model, data, config.training, folder, config.gru)

    record.finish(data.test)


if __name__ == "__main__":
    main(Config, run)
