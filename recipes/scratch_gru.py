"""Are the formulas of a GRU all there is to it?

A GRU written out in NumPy, its gradient derived by hand (shared/cells.py), learns what
`sine-next-step-gru` learns. Keras' own GRU is trained beside it from the same weights
on the same batches: both losses are the same up to rounding (beside.csv, beside.png).

    make scratch-gru        python recipes/scratch_gru.py --update-gate writes

Rounding is all that parts them: `--dtype float64` takes 1.5e-08 down to 2.1e-17.
Compare with `make sine-next-step-gru`, the library's layer on the same data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.controlled import sine_bars
from shared.cli import main
from shared.data.sine import SineConfig, make_sine
from shared.errors import UserError
from shared.metrics import SQUARED_ERROR
from shared.scratch import ScratchGRUConfig, fit_beside, write_beside
from shared.training import TrainingConfig, build_optimizer, fit, set_seed

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    """The setting of `sine-next-step-gru`."""

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
    gru: ScratchGRUConfig = ScratchGRUConfig(units=20)
    training: TrainingConfig = TrainingConfig(
        optimizer="adam",
        learning_rate=0.01,
        batch_size=32,
        epochs=30,
        schedule="cosine",
    )

    def check(self) -> None:
        """Refuse XLA, which cannot compile a call of NumPy."""
        if self.training.jit == "on":
            raise UserError(
                "--jit on: XLA cannot compile what NumPy computes; leave the flag "
                "away, or take sine-next-step-gru."
            )


def build_model(config: Config, by_hand: bool = True) -> keras.Model:
    """Return windows (batch, steps, 1) -> a later sample (batch, 1)."""
    from keras import Input, Model, layers

    from shared.scratch_layer import ScratchGRU

    window = Input((config.sine.lookback, 1), name="window")
    gru = ScratchGRU if by_hand else layers.GRU
    memory = gru(**config.gru.arguments(by_hand), name="gru")(window)
    sample = layers.Dense(1, name="sample")(memory)
    return Model(window, sample, name="scratch_gru")


def run(config: Config, folder: RunFolder) -> None:
    """Train both once and leave a run folder."""
    import keras

    keras.config.set_floatx(config.gru.dtype)  # of layers, losses and metrics
    set_seed(config.training.seed)

    splits = make_sine(config.sine, config.training.seed)

    model, library = build_model(config), build_model(config, by_hand=False)
    for network in (model, library):
        network.compile(
            optimizer=build_optimizer(config.training),
            loss="mse",
            metrics=["mse"],
            **config.training.compile_arguments(),
        )

    folder.open(splits, sine_bars(splits, config.sine), model, SQUARED_ERROR)
    library_losses = fit_beside(model, library, splits, config.training)
    record = fit(model, splits, config.training, folder)

    write_beside(record.rows, library_losses, folder)
    record.finish(splits.test)


if __name__ == "__main__":
    main(Config, run)
