"""The stacked GRU of the book on windows by Keras' own utility, defaults of fit.

Takes a .npz of a series (rows, columns) with the rows and sizes of the windows, and the
number of epochs. Prints a line of JSON: seconds of each epoch with its validation, and
the peak memory.
"""

import json
import resource
import sys

import keras
import numpy as np
from keras import layers
from plain_keras import Clock


def main() -> None:
    data, epochs = np.load(sys.argv[1]), int(sys.argv[2])
    series, degrees = data["series"], data["degrees"]
    steps, sampling, ahead = (int(n) for n in data["sizes"])
    keras.utils.set_random_seed(0)

    def cut(rows: np.ndarray, shuffle: bool) -> object:
        first, stop = (int(row) for row in rows)
        return keras.utils.timeseries_dataset_from_array(
            series[first : stop - ahead],
            degrees[first + (steps - 1) * sampling + ahead : stop],
            sequence_length=steps,
            sampling_rate=sampling,
            batch_size=128,
            shuffle=shuffle,
        )

    model = keras.Sequential([
        keras.Input((steps, series.shape[1])),
        layers.GRU(32, dropout=0.1, recurrent_dropout=0.5, return_sequences=True),
        layers.GRU(64, activation="relu", dropout=0.1, recurrent_dropout=0.5),
        layers.Dense(1),
    ])  # fmt: skip
    model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
    clock = Clock()
    model.fit(
        cut(data["train"], shuffle=True),
        epochs=epochs,
        validation_data=cut(data["validation"], shuffle=False),
        callbacks=[clock],
        verbose=2,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"epochs": clock.seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main()
