"""Can an LSTM write on in the style of a text?

Reads a text one character after the other, in any language, and learns which comes
next. The state goes on from one update to the next (truncated back-propagation).

    make writer-lstm                                         Shakespeare's plays
    make writer-lstm ARGS="--file book.txt"                  a text of yours
    python recipes/writer_lstm.py --units 256 --layers 2

Then `make generate RUN=writer-lstm ARGS="--prompt 'ROMEO:'"` writes.
Compare with writer-gru, which differs in the layer only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.baselines.writing import writing_baselines
from shared.commands.recipe import main
from shared.data.writing.dataset import WritingConfig, load_writing
from shared.inference.writing import show_sample, write_samples
from shared.layers.recurrent import LSTMConfig
from shared.layers.writer import WriterConfig, check_writer
from shared.training.config import TrainingConfig, build_optimizer, set_seed
from shared.training.fit import fit

if TYPE_CHECKING:
    import keras

    from shared.data.writing.dataset import WritingSplits
    from shared.runs.writer import RunFolder

VARIES = "the layer"
REFERENCE = ({},)


@dataclass(frozen=True)
class Config:
    """The same for every writer, but for the layer. Chosen on Shakespeare."""

    writing: WritingConfig = WritingConfig()
    writer: WriterConfig = WriterConfig(layers=1, output_dropout=0.4)
    lstm: LSTMConfig = LSTMConfig(units=640, dropout=0.1, recurrent_dropout=0.15)
    training: TrainingConfig = TrainingConfig(
        "adam", learning_rate=0.003, batch_size=64, epochs=29, schedule="cosine"
    )

    def validate(self) -> None:
        """Refuse flags with which the network reads what it must predict."""
        check_writer(self.lstm)


def load_data(config: Config) -> WritingSplits:
    """Return the text as token ids, cut in order into train, validation and test."""
    return load_writing(config.writing, config.training.batch_size)


def build_model(config: Config, data: WritingSplits) -> keras.Model:
    """Return token ids (batch, steps) -> logits of the next (batch, steps, ids)."""
    from keras import Input, Model, layers

    from shared.layers.carried import CarryState
    from shared.layers.embedding import set_gradient

    num_ids = data.vocabulary.size
    ids = Input((None,), dtype="int32", name="ids")
    tokens = layers.Embedding(num_ids, config.writing.embedding_size, name="tokens")
    steps = set_gradient(tokens, "dense")(ids)
    settings = config.lstm.arguments(return_sequences=True, return_state=True)
    for k in range(config.writer.layers):
        layer = layers.LSTM(**settings, name=f"lstm_{k + 1}")
        carried = CarryState(layer, config.training.batch_size, name=f"carried_{k + 1}")
        steps = carried(steps)
        steps = layers.Dropout(config.writer.output_dropout)(steps)
    logits = layers.Dense(num_ids, name="next_logits")(steps)
    return Model(ids, logits, name="writer_lstm")


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

    folder.open(data, writing_baselines(data), model)
    sample = show_sample(data, config.training.seed)
    record = fit(model, data, config.training, folder, config.lstm, [sample])

    record.finish(data.test, lambda best: write_samples(best, data, folder))


if __name__ == "__main__":
    main(Config, run)
