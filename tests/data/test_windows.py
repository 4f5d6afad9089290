"""Windows, against cases counted by hand."""

import numpy as np
import pytest

from shared.data.feeding import feed, stream_windows
from shared.data.splits import Examples
from shared.data.windows import Windows, find_starts, label_segments


def make_series(num_rows=20, num_features=2):
    """Row k is (k, 100 + k, ...)."""
    rows = np.arange(num_rows, dtype=np.float32)[:, None]
    return rows + 100 * np.arange(num_features, dtype=np.float32)


def test_a_window_by_hand():
    windows = Windows(make_series(), np.array([0, 7]), steps=3, sampling=2)
    assert windows.shape == (2, 3, 2)
    assert windows.cut(slice(None))[:, :, 0].tolist() == [[0, 2, 4], [7, 9, 11]]
    assert windows.cut(np.array([1]))[0, :, 1].tolist() == [107, 109, 111]


def test_reversed_windows_run_from_the_latest_step():
    windows = Windows(make_series(), np.array([7]), steps=3, sampling=2, reverse=True)
    assert windows.cut(slice(None))[0, :, 0].tolist() == [11, 9, 7]


def test_first_and_last_window_of_a_part():
    # Rows 5 to 19; two steps two rows apart, and a target two steps (4 rows)
    # later. The target of a window from row s is row s + 6.
    starts = find_starts(np.zeros(30, int), first=5, stop=20, span=6, stride=1)
    assert (starts[0], starts[-1]) == (5, 13)  # the target of 13 is row 19, the last
    assert len(starts) == 9
    strided = find_starts(np.zeros(30, int), first=5, stop=20, span=6, stride=4)
    assert strided.tolist() == [5, 9, 13]


def test_a_part_too_short_has_no_window():
    assert not len(find_starts(np.zeros(9, int), first=0, stop=6, span=6, stride=1))
    assert len(find_starts(np.zeros(9, int), first=0, stop=7, span=6, stride=1)) == 1


def test_no_window_crosses_a_gap():
    minutes = np.array([0, 10, 20, 50, 60, 70, 80, 100])
    times = np.datetime64("2020-01-01T00:00") + minutes.astype("timedelta64[m]")
    segments = label_segments(times, np.timedelta64(10, "m"))
    assert segments.tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    assert find_starts(segments, 0, 8, span=2, stride=1).tolist() == [0, 3, 4]


@pytest.mark.parametrize("reverse", [False, True])
def test_the_stream_has_the_windows_of_cut(reverse):
    windows = Windows(make_series(), np.arange(11), 3, sampling=2, reverse=reverse)
    examples = Examples(windows, np.arange(11, dtype=np.float32))
    batches = list(stream_windows(examples, batch_size=4))
    assert [len(targets) for _, targets in batches] == [4, 4, 3]
    inputs = np.concatenate([inputs for inputs, _ in batches])
    assert np.array_equal(inputs, windows.cut(slice(None)))
    assert np.concatenate([t for _, t in batches]).tolist() == list(range(11))


def test_a_shuffled_stream_keeps_pairs_and_follows_the_seed():
    windows = Windows(make_series(), np.arange(11), steps=3)
    examples = Examples(windows, np.arange(11, dtype=np.float32))

    def read(seed):
        stream = stream_windows(examples, 4, shuffle_seed=seed)
        epochs = []
        for _ in range(2):
            targets = []
            for inputs, batch in stream:
                assert np.array_equal(inputs[:, 0, 0], batch)  # the pair stays together
                targets += batch.numpy().astype(int).tolist()
            assert sorted(targets) == list(range(11))
            epochs.append(targets)
        return epochs

    first, second = read(3)
    assert first != second  # a new order every epoch
    assert read(3) == [first, second]
    assert read(4) != [first, second]


def test_arrays_are_fed_unchanged():
    examples = Examples(np.zeros((5, 2)), np.zeros(5))
    assert feed(examples, 3)["x"] is examples.inputs
