"""What happens to a forecast that reads its own output?

Reads four noisy samples of a slow sine and predicts the next. There are 600 windows.
Four samples say so little that the best possible model is only 3 % better than the best
linear one. Then the network forecasts two periods from its own output (free_run.png).

    make sine-next-step-gru        python recipes/sine_next_step_gru.py --noise 0.05

Compare with more windows: `make sine-next-step-gru ARGS="--points 61000 --train-points
60000"`.
Reference result: results/reference/controlled.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.generated import sine_baselines
from shared.commands.recipe import main
from shared.core.errors import UserError
from shared.data.generated.sine import SineConfig, make_sine
from shared.inference.generation import write_free_run
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
    """The settings of the tutorial, at random phases instead of one period."""

    sine: SineConfig = SineConfig(
        frequency=0.01,
        time_step=1.0,
        noise=0.2,
        lookback=4,
        delay=1,
        phase="random",  # one period has 628 samples, more than 600
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
        schedule="cosine",  # more stable than a constant rate on few windows
    )

    def validate(self) -> None:
        """Refuse a forecast that cannot read its own output."""
        if self.sine.delay != 1:
            raise UserError(
                f"--delay {self.sine.delay}: the free run needs the next sample. Use "
                "--delay 1, or use sine-gru for other delays."
            )


def load_data(config: Config) -> Splits:
    """Return the examples, split into train, validation and test."""
    return make_sine(config.sine, config.training.seed)


def build_model(config: Config, data: Splits) -> keras.Model:
    """Return windows (batch, steps, 1) -> the next sample (batch, 1)."""
    from keras import Input, Model, layers

    window = Input((config.sine.lookback, 1), name="window")
    memory = layers.GRU(**config.gru.arguments(), name="gru")(window)
    if config.gru.return_sequences:
        memory = layers.GlobalAveragePooling1D(name="mean_of_steps")(memory)
    sample = layers.Dense(1, name="sample")(memory)
    return Model(window, sample, name="sine_next_step_gru")


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

    seed = config.training.seed
    record.finish(
        data.test, lambda best: write_free_run(best, config.sine, seed, folder)
    )


if __name__ == "__main__":
    main(Config, run)
