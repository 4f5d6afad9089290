"""The script of the tutorials: default layers, padded to 500, defaults of fit.

Takes a .npz of padded reviews and labels (x_train, y_train, x_val, y_val), the layer,
the number of epochs and the seed. Prints a line of JSON: seconds of each epoch with its
validation, and the peak memory. Runs on any backend of Keras (KERAS_BACKEND).
"""

import json
import resource
import sys
import time

import keras
import numpy as np
from keras import layers

LAYERS = {
    "simple-rnn": lambda: layers.SimpleRNN(32),
    "lstm": lambda: layers.LSTM(32),
    "gru": lambda: layers.GRU(32),
    "bidirectional-lstm": lambda: layers.Bidirectional(layers.LSTM(32)),
    "gru-dropout": lambda: layers.GRU(64, dropout=0.2, recurrent_dropout=0.2),
}


class Clock(keras.callbacks.Callback):
    """Record the seconds of every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Start."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stop."""
        self.seconds.append(time.perf_counter() - self.started)


def main() -> None:
    data = np.load(sys.argv[1])
    name, epochs, seed = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([layers.Embedding(10_000, 32), LAYERS[name](),
                              layers.Dense(1, activation="sigmoid")])  # fmt: skip
    dropout = name == "gru-dropout"
    model.compile(
        optimizer="adam" if dropout else "rmsprop",
        loss="binary_crossentropy",
        metrics=["accuracy"],
    )
    clock = Clock()
    model.fit(
        data["x_train"],
        data["y_train"],
        epochs=epochs,
        batch_size=32 if dropout else 128,
        validation_data=(data["x_val"], data["y_val"]),
        callbacks=[clock],
        verbose=2,
    )
    accuracy = None
    if "x_test" in data:
        accuracy = float(model.evaluate(data["x_test"], data["y_test"], verbose=0)[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"epochs": clock.seconds, "peak_mb": peak, "test": accuracy}))


if __name__ == "__main__":
    main()
