"""The benchmark of one layer at many sizes."""

import math

import pytest

from benchmarks import layers
from shared.kernels.loop.vectors import count_bits


def make_row(ratio, share):
    times = {"compiled_ms": 2.0, "keras_ms": 2.0 * ratio, "block_ms": math.nan}
    return {"cell": "GRU", "batch": 16, "steps": 50, "units": 32, **times,
            "faster_than_best": ratio, "share_of_peak": share, "peak_gflops": 90.0,
            }  # fmt: skip


def test_the_page_has_the_mean_ratio_and_counts_where_ours_is_slower():
    page = layers.write_table([make_row(4.0, 0.5), make_row(0.25, 0.4)], False)
    assert "over 2 sizes: ours is 1.0 times faster" in page
    assert "Slower at 1." in page
    assert "| GRU | 16 x 50 | 32 | 2 | 8 | - | 4.0 | 50% |" in page


def test_work_is_that_of_the_products():
    case = {"cell": "LSTM", "batch": 2, "steps": 3, "units": 5, "backward": True}
    inputs = state = 2 * 2 * 3 * 5 * (4 * 5)  # of one product, forward
    assert layers.count_work(case) == 3 * (inputs + state)
    assert layers.count_work(case | {"backward": False}) == inputs + state


@pytest.mark.slow
def test_it_measures_ours_beside_keras(tmp_path, monkeypatch):
    command = ["layers", "--cells", "GRU", "--units", "8", "--sizes", "4x6",
               "--repeats", "1", "--without", "xla", "block", "torch", "onnxruntime",
               "--to", str(tmp_path)]  # fmt: skip
    monkeypatch.setattr("sys.argv", command)
    layers.main()
    name = f"layers_{count_bits()}_bits"
    (row,) = (tmp_path / f"{name}.csv").read_text().splitlines()[1:]
    assert row.startswith("GRU,4,6,8,")
    assert "| GRU | 4 x 6 | 8 |" in (tmp_path / f"{name}.md").read_text()
