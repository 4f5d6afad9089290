import dataclasses

import numpy as np
import pandas as pd
import pytest

from shared.core.errors import UserError
from shared.data.feeding import feed
from shared.data.series.calendar import choose_cycles, compute_cycles
from shared.data.series.dataset import SeriesConfig, load_series
from shared.data.series.layout import Layout

HOUR, DAY = 3600, 86_400


def hours(count):
    return pd.date_range("2024-01-01", periods=count, freq="h")


def write(folder, name="power.csv", **columns):
    pd.DataFrame(columns).to_csv(folder / name, index=False)
    return folder / name


def load(file, **fields):
    fields = {"lookback": 3, "horizon": 2, "season": 1, "calendar": "none"} | fields
    config = SeriesConfig(file=file, **fields)
    config.validate()
    return load_series(config)


@pytest.fixture
def table(tmp_path):
    values = np.random.default_rng(5).normal(100, 7, 30)
    return write(tmp_path, time=hours(30), load=values), values


def test_targets_lie_in_their_part_and_inputs_reach_back(table):
    file, values = table
    data = load(file)
    # 30 hours: 18 train, 6 validate, 6 test; a window needs 3 + 2
    assert [len(p) for p in (data.train, data.validation, data.test)] == [14, 5, 5]
    assert np.array_equal(data.train.targets[0], values[3:5].astype(np.float32))
    assert np.array_equal(data.train.targets[13], values[16:18].astype(np.float32))
    assert np.array_equal(data.validation.targets[0], values[18:20].astype(np.float32))
    assert np.array_equal(data.test.targets[-1], values[28:30].astype(np.float32))
    assert data.test.times[0] == np.datetime64("2024-01-02T00")
    mean, std = values[:18].mean(), values[:18].std()
    window = data.validation.inputs.cut(slice(0, 1))[0, :, 0]
    assert window == pytest.approx((values[15:18] - mean) / std, abs=1e-5)


def test_nothing_of_the_later_parts_enters_the_training_part(table, tmp_path):
    file, values = table
    before = load(file)
    values[18:] *= 50
    after = load(write(tmp_path, time=hours(30), load=values))
    assert before.layout == after.layout
    rows = slice(0, 18)
    assert np.array_equal(
        before.train.inputs.series[rows], after.train.inputs.series[rows]
    )
    assert np.array_equal(np.asarray(before.train.targets), after.train.targets)


def test_a_missing_value_is_read_as_the_last_known_one_and_never_a_target(table):
    file, values = table
    values[10] = np.nan
    file = write(file.parent, time=hours(30), load=values)
    data = load(file)
    assert len(data.train) == 12  # without the targets 9-10 and 10-11
    first = [int(row) + 3 for row in data.train.inputs.starts]
    assert first == [3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16]
    assert data.train.inputs.series[10, 0] == data.train.inputs.series[9, 0]
    assert np.isfinite(np.asarray(data.train.targets)).all()
    assert any("1 value of 'load' missing" in line for line in data.facts["repairs"])


def test_no_window_reads_across_a_long_gap(table):
    file, values = table
    values[8:11] = np.nan  # three missing hours
    file = write(file.parent, time=hours(30), load=values)
    across = load(file, max_gap=3)
    without = load(file, max_gap=2)
    # row 10 is older than two hours: windows that read it are left out
    lost = {int(s) for s in across.train.inputs.starts} - {
        int(s) for s in without.train.inputs.starts
    }
    assert lost == {8, 9, 10}


def test_steps_split_from_the_end(table):
    file, values = table
    data = load(file, train_steps=9, validation_steps=4, test_steps=5)
    assert [len(p) for p in (data.train, data.validation, data.test)] == [5, 3, 4]
    assert np.array_equal(data.train.targets[0], values[15:17].astype(np.float32))
    assert data.layout.scales[""]["load"][0] == pytest.approx(values[12:21].mean())


def test_until_leaves_out_later_steps(table):
    file, values = table
    data = load(file, until="2024-01-01T20")
    assert np.array_equal(data.test.targets[-1], values[18:20].astype(np.float32))
    with pytest.raises(UserError, match="--until 'tomorrow': takes a time"):
        load(file, until="tomorrow")


def test_several_targets_are_in_units_of_their_naive_error(tmp_path):
    random = np.random.default_rng(1)
    small, large = random.normal(0, 1, 40), random.normal(5_000, 900, 40)
    file = write(tmp_path, time=hours(40), a=small, b=large)
    data = load(file, target=("a", "b"))
    assert np.asarray(data.test.targets).shape == (7, 2, 2)
    for k, values in enumerate((small, large)):
        train = values[:24]
        naive = np.abs(np.diff(train)).mean()
        expected = (values[32:34] - train.mean()) / naive
        assert data.test.targets[0, :, k] == pytest.approx(expected, rel=1e-4)
        back = data.layout.to_units(data.test.targets, data.latest[0])
        assert back[0, :, k] == pytest.approx(values[32:34], rel=1e-4)
    assert data.task.score.metric == "mase"


def make_long(tmp_path, lengths=(40, 30)):
    frames = [
        pd.DataFrame(
            {
                "time": hours(count),
                "store": f"s{k}",
                "sales": np.random.default_rng(k).normal(10 * 10**k, 10**k, count),
            }
        )
        for k, count in enumerate(lengths)
    ]
    return write(tmp_path, **pd.concat(frames).to_dict("series"))


def test_many_series_are_scaled_each_by_its_own_training_part(tmp_path):
    file = make_long(tmp_path)
    data = load(file, series="store", target=("sales",))
    frame = pd.read_csv(file)
    for name, count in (("s0", 24), ("s1", 18)):
        train = frame[frame.store == name].sales.to_numpy()[:count]
        centre, scale = data.layout.scales[name]["sales"]
        assert centre == pytest.approx(train.mean())
        assert scale == pytest.approx(np.abs(np.diff(train)).mean())
    # no window spans two series: 40 hours give 20 + 7 + 7, and 30 give 14 + 5 + 5
    assert [len(p) for p in (data.train, data.validation, data.test)] == [34, 12, 12]
    starts = data.train.inputs.starts
    assert not ((starts < 40) & (starts + 5 > 40)).any()
    assert set(data.test.series) == {"s0", "s1"}


def test_series_that_are_too_short_are_left_out_and_told(tmp_path):
    file = make_long(tmp_path, (40, 6, 30))
    data = load(file, series="store", target=("sales",), lookback=None)
    assert set(data.layout.scales) == {"s0", "s1", "s2"}
    data = load(file, series="store", target=("sales",), lookback=9)
    assert set(data.layout.scales) == {"s0", "s2"}
    assert (
        "1 of 3 series too short for training, left out (s1)" in (data.facts["repairs"])
    )


def test_held_out_series_are_only_tested(tmp_path):
    file = make_long(tmp_path, (40, 30, 50))
    data = load(file, series="store", target=("sales",), holdout_series=("s1",))
    assert data.test.series is None  # all of one series
    assert len(data.test) == 5
    rows = data.train.inputs.starts
    assert not ((rows >= 40) & (rows < 70)).any()
    with pytest.raises(UserError, match="no such series; take one of 's0'"):
        load(file, series="store", target=("sales",), holdout_series=("s9",))


def test_the_future_of_known_columns_is_read_and_of_inputs_is_not(tmp_path):
    random = np.random.default_rng(2)
    columns = {name: random.normal(size=30) for name in ("load", "price", "wind")}
    file = write(tmp_path, time=hours(30), **columns)
    data = load(file, target=("load",), known=("price",), inputs=("wind",))
    assert data.layout.features == ("load", "wind", "price")
    future = data.test.inputs.cut_known(slice(0, 1))[0, :, 0]
    price = columns["price"]
    scaled = (price[24:26] - price[:18].mean()) / price[:18].std()
    assert future == pytest.approx(scaled, rel=1e-4)
    assert data.test.inputs.cut_known(slice(0, 1)).shape == (1, 2, 1)
    (past, known), targets = next(iter(feed(data.test, 2)["x"]))
    assert past.shape == (2, 3, 3) and known.shape == (2, 2, 1)
    assert targets.numpy() == pytest.approx(data.test.targets[:2])


def test_the_stride_of_the_test_shares_no_factor_with_the_season(tmp_path):
    count = 60_000
    file = write(tmp_path, time=hours(count), load=np.arange(count) % 24 + 0.5)
    data = load(file, season=24, lookback=5)
    # 12,000 steps, at most 5,000 windows: a stride of 3 or more; 5 shares none with 24
    steps = np.diff(data.test.inputs.starts)
    assert set(steps.tolist()) == {5}
    assert data.test.dependence == 1


def test_a_layout_is_read_back_from_json(tmp_path):
    file = make_long(tmp_path)
    data = load(file, series="store", target=("sales",), quantiles=(0.1, 0.5))
    assert Layout.from_json(data.layout.to_json()) == data.layout


def test_a_series_that_is_too_short_is_one_line(tmp_path):
    file = write(tmp_path, time=hours(30), load=np.arange(30) ** 2.0)
    with pytest.raises(UserError, match="too short: the train part has 18 of 30 steps"):
        load(file, lookback=40)
    with pytest.raises(UserError, match="too short: the validation part has 6"):
        load(file, horizon=7)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quantiles": (0.1, 0.9)}, "add 0.5"),
        ({"quantiles": (0.9, 0.5)}, "increasing probabilities"),
        ({"quantiles": (0.5, 1.0)}, "between 0 and 1"),
        ({"train_share": 0.7, "validation_share": 0.3}, "leave a part"),
        ({"test_steps": 5}, "belong together"),
        ({"train_steps": 5}, "--train-steps needs"),
        ({"season": 0}, "--season 0"),
        ({"data": "sample"}, "omit one of the two"),
    ],
)
def test_settings_that_cannot_work_are_one_line(table, fields, message):
    with pytest.raises(UserError, match=message):
        load(table[0], **fields)


def test_flags_of_a_table_need_a_file():
    with pytest.raises(UserError, match="--target: describes a table"):
        SeriesConfig(horizon=2, target=("sales",)).validate()


def test_the_sample_has_its_best_forecast():
    data = load_series(SeriesConfig(horizon=5, limit=3_000, quantiles=(0.1, 0.5, 0.9)))
    best = data.test.best_possible
    assert best.shape == (len(data.test), 5, 3)
    targets = data.test.targets
    error = targets - best[:, :, 1]
    # the disturbance after h steps has the variance (1 - 0.81^h) / 0.19
    expected = np.sqrt((1 - 0.81 ** np.arange(1, 6)) / 0.19)
    assert error.std(axis=0) == pytest.approx(expected, rel=0.1)
    inside = (targets > best[:, :, 0]) & (targets < best[:, :, 2])
    assert inside.mean() == pytest.approx(0.8, abs=0.05)
    assert data.is_sample


def test_the_calendar_has_cycles_that_the_training_part_holds_twice():
    assert choose_cycles(HOUR, 15 * DAY) == ("day", "week")
    assert choose_cycles(HOUR, 13 * DAY) == ("day",)
    assert choose_cycles(DAY, 731 * DAY) == ("week", "year")
    assert choose_cycles(365 * DAY, 300 * 365 * DAY) == ()


def test_cycles_start_at_midnight_on_monday_and_on_new_year():
    times = np.array(["2024-01-01T00:00", "2024-07-01T06:00"], "datetime64[s]")
    cycles = compute_cycles(times, ("day", "week", "year"))
    assert cycles[0] == pytest.approx([0, 1, 0, 1, 0, 1])  # a Monday
    assert cycles[1, :2] == pytest.approx([1, 0], abs=1e-6)
    quarter = 2 * np.pi * 0.25 / 7  # a Monday again, at six
    assert cycles[1, 2:4] == pytest.approx([np.sin(quarter), np.cos(quarter)])
    part = 2 * np.pi * 182.25 / 366  # 2024 is a leap year
    assert cycles[1, 4:] == pytest.approx([np.sin(part), np.cos(part)], abs=1e-6)


def test_settings_of_a_run_give_the_same_data_again(table):
    file, _ = table
    config = SeriesConfig(horizon=2, file=file, season=1)
    again = dataclasses.replace(config)
    assert load_series(config).facts == load_series(again).facts
