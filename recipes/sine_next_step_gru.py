"""What becomes of a forecast that feeds on itself?

Four noisy samples of a slow sine in, the next one out, from 600 windows. Four samples
tell so little that the best possible model is only 3 % better than the best linear one.
After training, the network forecasts two periods from its own output (free_run.png).

    make sine-next-step-gru        python recipes/sine_next_step_gru.py --noise 0.05

Compare with more windows: `make sine-next-step-gru ARGS="--points 61000 --train-points
60000"`. Reference result: results/reference/sine-next-step.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.controlled import sine_bars
from shared.cli import main
from shared.data.sine import SineConfig, make_sine
from shared.errors import UserError
from shared.generation import write_free_run
from shared.metrics import SQUARED_ERROR
from shared.recurrent import GRUConfig
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """The setting of the tutorial, at random phases instead of one period."""

    sine: SineConfig = SineConfig(
        frequency=0.01,
        time_step=1.0,
        noise=0.2,
        lookback=4,
        delay=1,
        phase="random",  # 600 samples in a row would not hold one period of 628
        points=1_400,
        train_points=600,
        validation_points=400,
        test_points=400,
    )
    gru: GRUConfig = GRUConfig(units=20)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam",
        learning_rate=0.01,
        batch_size=32,
        epochs=30,
        schedule="cosine",  # steadier than a constant rate on so few windows
    )

    def check(self) -> None:
        """Refuse a forecast that cannot feed on itself."""
        if self.sine.delay != 1:
            raise UserError(
                f"--delay {self.sine.delay}: running freely needs the next sample, "
                "--delay 1; for others take sine-gru."
            )


def build_model(config: Config) -> keras.Model:
    """Return windows (batch, steps, 1) -> the next sample (batch, 1)."""
    from keras import Input, Model, layers

    window = Input((config.sine.lookback, 1), name="window")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(window)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    sample = layers.Dense(1, name="sample")(memory)
    return Model(window, sample, name="sine_next_step_gru")


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

    seed = config.training.seed
    record.finish(
        splits.test, lambda best: write_free_run(best, config.sine, seed, folder)
    )


if __name__ == "__main__":
    main(Config, run)
