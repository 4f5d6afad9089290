import numpy as np
import pytest

from shared.plots.forecast_figure import ForecastPanel, draw_forecast_beyond

DAYS = np.datetime64("2024-01-01") + np.arange(8)


def make_panel(steps=3, **changes):
    values = {
        "title": "", "past_times": DAYS[:5], "past": np.array([1.0, 2, 3, 4, np.nan]),
        "times": DAYS[5 : 5 + steps], "forecast": np.arange(5.0, 5 + steps),
        "intervals": {0.95: (np.zeros(steps), np.full(steps, 9.0)),
                      0.8: (np.ones(steps), np.full(steps, 8.0))},
        "quantity": "sales",
    }  # fmt: skip
    return ForecastPanel(**values | changes)


def get_line(axis, label):
    (line,) = [line for line in axis.get_lines() if line.get_label() == label]
    return line.get_xydata()


def test_the_forecast_starts_at_the_last_measured_value():
    (axis,) = draw_forecast_beyond([make_panel()], "a title").axes
    assert get_line(axis, "forecast")[:, 1].tolist() == [4, 5, 6, 7]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["measured", "forecast", "80% interval", "95% interval"]


@pytest.mark.parametrize("steps", [1, 3])
def test_the_best_possible_forecast_is_drawn_where_it_is_known(steps):
    best = np.full(steps, 6.0)
    numbers = {"past_times": np.arange(5), "times": np.arange(5, 5 + steps)}
    panel = make_panel(steps, best=best, across="number of the sample", **numbers)
    (axis,) = draw_forecast_beyond([panel], "a title").axes
    assert get_line(axis, "best possible forecast")[:, 1].tolist() == best.tolist()
    assert axis.get_xlabel() == "number of the sample"


def test_the_title_says_how_many_panels_are_left_out():
    figure = draw_forecast_beyond([make_panel(title=str(k)) for k in range(9)], "many")
    assert len(figure.axes) == 6
    assert figure.get_suptitle() == "many (the first 6 of 9)"
