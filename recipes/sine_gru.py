"""Can a GRU see through the noise on a sine better than a matrix can?

Ten noisy samples in, the one three samples after the last of them out. The best linear
model and the best possible one are known, and drawn as lines: a network between them
has learnt something that no matrix holds (that the amplitude is 1).

    make sine-gru        python recipes/sine_gru.py --delay 4

The tutorial calls its target "delay 3", but takes the fourth sample: --delay 4. Compare
other layers or sizes with it: `make compare RUNS="sine-gru"`.
Reference result: results/reference/sine.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.controlled import sine_bars
from shared.cli import main
from shared.data.sine import SineConfig, make_sine
from shared.metrics import SQUARED_ERROR
from shared.recurrent import GRUConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """The setting of the tutorial, with a series long enough for it."""

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
        schedule="cosine",  # at a constant 0.01 it ends above the best linear model
    )


def build_model(config: Config) -> keras.Model:
    """Return windows (batch, steps, 1) -> a later sample (batch, 1)."""
    from keras import Input, Model, layers

    window = Input((config.sine.lookback, 1), name="window")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(window)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    sample = layers.Dense(1, name="sample")(memory)
    return Model(window, sample, name="sine_gru")


def run(config: Config, folder: RunFolder) -> None:
    """Train once and leave a run folder."""
    set_seed(config.training.seed)

    splits = make_sine(config.sine, config.training.seed)

    model = build_model(config)
    model.compile(
        optimizer=build_optimizer(config.training),
        loss="mse",
        metrics=["mse"],
        **config.training.compile_arguments(),
    )

    folder.open(splits, sine_bars(splits, config.sine), model, SQUARED_ERROR)
    record = fit(model, splits, config.training, folder)

    record.finish(splits.test)


if __name__ == "__main__":
    main(Config, run)
