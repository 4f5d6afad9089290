"""What a forecasting network reads: differences, or the level of a series."""

import keras
import numpy as np
import pytest

from shared.data.series.dataset import SeriesConfig, load_series
from shared.layers import forecasting
from shared.layers.forecasting import build_inputs, choose_scaling

NUM_STEPS = 200  # 120 train, 40 validate


@pytest.fixture
def load(tmp_path):
    """Return a function that loads noise around a level, which moves in some steps."""

    def read(moved=slice(0), count=1, **settings):
        values = np.random.default_rng(3).normal(50, 2, (count, NUM_STEPS))
        values[-1, moved] += 2
        days = np.datetime64("2020-01-01") + np.arange(NUM_STEPS)
        rows = [f"{day},{k},{value}" for k, line in enumerate(values)
                for day, value in zip(days, line, strict=True)]  # fmt: skip
        (tmp_path / "t.csv").write_text("\n".join(["day,shop,sales", *rows]) + "\n")
        if count > 1:
            settings |= {"series": "shop"}
        settings = {"target": ("sales",), "horizon": 3, "season": 5} | settings
        return load_series(SeriesConfig(file=tmp_path / "t.csv", **settings))

    return read


@pytest.mark.parametrize(
    ("moved", "scaling"),
    [
        (slice(0), "level"),
        (slice(160, 200), "level"),  # the test part decides nothing
        (slice(60, 120), "window"),
        (slice(90, 120), "window"),
        (slice(120, 160), "window"),  # the validation part
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_auto_reads_the_level_if_every_series_keeps_it(
    load, moved, scaling, count, capsys
):
    data = load(moved, count)
    assert choose_scaling(data) == scaling
    assert build_inputs(data, "auto").reads_level == (scaling == "level")
    assert ("keeps its level" in capsys.readouterr().out) == (scaling == "level")


@pytest.mark.parametrize(("more", "scaling"), [(1, "level"), (0, "window")])
def test_auto_reads_the_level_of_few_windows_only(load, monkeypatch, more, scaling):
    data = load()
    monkeypatch.setattr(forecasting, "MANY_WINDOWS", len(data.train) + more)
    assert choose_scaling(data) == scaling


def test_a_series_without_a_season_is_read_as_differences(load):
    assert choose_scaling(load(season=1)) == "window"


def test_level_scaling_leaves_the_windows_as_they_are(load):
    data = load(calendar="none")
    windows = data.test.inputs.cut(np.arange(5))
    for scaling, is_level in (("level", True), ("training", False), ("window", False)):
        read = build_inputs(data, scaling)
        scaled = keras.Model(read.all, read.scaled).predict(windows, verbose=0)
        assert (scaled == windows).all() == is_level
        differences = keras.Model(read.all, read.differences)
        latest = differences.predict(windows, verbose=0)[:, -1]
        assert (latest == 0).all()  # ridge reads these, whatever the network reads
