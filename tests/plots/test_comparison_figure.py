"""Comparisons of groups: colours, labels, ranges, marks and panels."""

import math

import numpy as np
import pytest

from shared.plots.colours import recipe_colour
from shared.plots.comparison_figure import draw_comparison
from shared.plots.cost_figure import draw_cost, format_amount
from shared.plots.curves import draw_curves
from shared.plots.labels import label_groups, style_groups
from shared.plots.outliers import MARK
from shared.plots.panels import DASHES
from shared.plots.scores_figure import (
    draw_figures,
    draw_test_scores,
    mean_interval,
)
from shared.runs.epoch_seconds import measure_seconds
from tests.plots.pictures import make_baseline, make_group, read_legend

GOOD = (0.80, 0.84, 0.86, 0.87)
WORSE = (0.78, 0.82, 0.84, 0.85)
BROKEN = (0.50, 0.50, 0.50, 0.50)


def list_curves(axis):
    """Return the curves of a panel by their label."""
    found = [line for line in axis.lines if not line.get_label().startswith("_")]
    return {line.get_label(): line for line in found}


def list_marks(axis):
    return [line for line in axis.lines if line.get_gid() == MARK]


@pytest.mark.slow
def test_a_recipe_has_its_colour_whatever_else_is_drawn():
    gru, lstm, best = (make_group(f"imdb-{k}", [GOOD]) for k in ("gru", "lstm", "best"))
    for groups in ([gru], [lstm, gru], [best, lstm, gru]):
        for draw in (draw_comparison, draw_test_scores, draw_cost):
            axis = draw(groups).axes[0]
            used = {line.get_color() for line in axis.lines}
            assert {recipe_colour(g.runs[0].recipe) for g in groups} <= used, draw
    assert recipe_colour("imdb-gru") == recipe_colour("weather-gru") == "#0072B2"


def test_the_defaults_have_the_full_colour_and_variants_other_dashes():
    fixed = make_group("imdb-gru", [GOOD], batching="fixed")
    plain = make_group("imdb-gru", [WORSE])
    variant, full = style_groups([fixed, plain])
    assert full.light == recipe_colour("imdb-gru")
    assert variant.light != full.light
    (axis,) = draw_comparison([fixed, plain]).axes
    lines = list_curves(axis)
    assert lines["imdb-gru"].get_linestyle() == "-"
    assert lines["imdb-gru, batching fixed"].get_linestyle() == DASHES[1]


def test_labels_say_only_what_differs_in_words():
    groups = [
        make_group("memory-gru", [GOOD], lag=50, stop_at=0.01),
        make_group("memory-lstm", [GOOD], lag=50, stop_at=0.01, go_backwards=True),
        make_group("memory-lstm", [GOOD], lag=50, stop_at=0.01, use_bias=False),
    ]
    labels, shared = label_groups(groups)
    assert labels == [
        "memory-gru", "memory-lstm, go backwards", "memory-lstm, no use bias",
    ]  # fmt: skip
    assert shared == "lag 50, stop at 0.01"
    title, entries = read_legend(draw_comparison(groups))
    assert "all with lag 50, stop at 0.01" in title
    assert not any("--" in entry or "stop at" in entry for entry in entries)
    lags = [make_group("memory-gru", [GOOD], lag=k, stop_at=0.01) for k in (10, 50)]
    assert label_groups(lags)[0] == ["memory-gru, lag 10", "memory-gru, lag 50"]
    assert label_groups(lags[1:])[0] == ["memory-gru, lag 50, stop at 0.01"]


def test_a_flag_that_only_repeats_is_no_part_of_a_label():
    roles = {"threads": "computation"}
    group = make_group("imdb-gru", [GOOD], units=64, threads=2, roles=roles)
    assert label_groups([group])[0] == ["imdb-gru, units 64"]


def test_a_baseline_has_one_label_however_many_groups_have_it():
    one = [make_baseline("ridge", 0.80), make_baseline("majority class", 0.5)]
    other = [make_baseline("ridge", 0.86), make_baseline("majority class", 0.5)]
    groups = [
        make_group("imdb-gru", [GOOD], baselines=one, words=1, roles={"words": "data"}),
        make_group(
            "imdb-best", [GOOD], baselines=other, words=2, roles={"words": "data"}
        ),
    ]
    figure = draw_comparison(groups)
    _, entries = read_legend(figure)
    assert [k for k in entries if "ridge" in k] == ["ridge (2 lines: different data)"]
    (majority,) = [k for k in entries if "majority" in k]
    assert majority == "majority class (accuracy 0.5000, below)"
    (axis,) = figure.axes
    flat = [
        line for line in axis.lines
        if len(set(line.get_ydata())) == 1 and list(line.get_xdata()) == [0, 1]
    ]  # fmt: skip
    assert sorted(line.get_ydata()[0] for line in flat) == [0.80, 0.86]
    assert not axis.texts  # no note hides a point


def test_baselines_look_different_from_each_other():
    names = [make_baseline(f"model {k}", 0.8 + 0.01 * k) for k in range(6)]
    names.append(make_baseline("best", 0.87, best=True))
    figure = draw_comparison([make_group("imdb-gru", [GOOD], baselines=names)])
    (legend,) = figure.subfigs[0].legends
    looks = [(str(line._dash_pattern), line.get_color()) for line in legend.get_lines()]
    assert len(set(looks)) == len(looks) == 8


def test_only_whole_epochs_are_named():
    for length in (1, 2, 4, 10, 40):
        curve = tuple(np.linspace(0.7, 0.8, length))
        (axis,) = draw_comparison([make_group("imdb-gru", [curve])]).axes
        ticks = axis.get_xticks()
        assert ticks[0] == 1
        assert all(tick == int(tick) <= length for tick in ticks)


def test_one_epoch_is_a_point_that_nothing_hides():
    baselines = [make_baseline("majority class", 0.5), make_baseline("linear", 0.9)]
    groups = [make_group("imdb-gru", [(0.7,)], baselines=baselines),
              make_group("imdb-lstm", [(0.71,)], baselines=baselines)]  # fmt: skip
    figure = draw_comparison(groups)
    (axis,) = figure.axes
    low, high = axis.get_ylim()
    assert low < 0.7 < 0.71 < high < 0.9
    assert not axis.texts
    _, entries = read_legend(figure)
    assert "linear (accuracy 0.9000, above)" in entries


def test_a_broken_run_does_not_set_the_scale_and_is_marked():
    groups = [make_group("imdb-gru", [GOOD] * 5), make_group("imdb-lstm", [WORSE] * 5),
              make_group("imdb-stacked-simple-rnn", [BROKEN])]  # fmt: skip
    figure = draw_comparison(groups)
    (axis,) = figure.axes
    assert axis.get_ylim()[0] > 0.6
    (mark,) = list_marks(axis)  # one stretch of four epochs
    assert mark.get_color() == recipe_colour("imdb-stacked-simple-rnn")
    assert mark.get_marker() == "v"
    assert mark.get_ydata()[0] == axis.get_ylim()[0]
    title, _ = read_legend(figure)
    assert "imdb-stacked-simple-rnn, 1 seed down to 0.5000" in title.replace("\n", " ")


def test_better_scores_are_never_cut_off():
    groups = [make_group("imdb-gru", [GOOD] * 5), make_group("imdb-best", [(0.999,)])]
    (axis,) = draw_comparison(groups).axes
    assert axis.get_ylim()[1] > 0.999
    assert not list_marks(axis)


def test_an_exploded_loss_is_marked_above():
    groups = [make_group("imdb-gru", [GOOD] * 4)]
    for seed, run in enumerate(groups[0].runs):
        run.history["loss"] = [0.5, 0.4, 0.3, 0.3]
        last = math.inf if seed == 0 else 0.31
        run.history["val_loss"] = [0.5, 0.4, 1e6 if seed == 1 else 0.35, last]
    figure = draw_comparison(groups)
    axis = figure.axes[1]
    assert axis.get_yscale() == "linear"
    assert axis.get_ylim()[1] < 2
    assert [mark.get_marker() for mark in list_marks(axis)] == ["^"]
    assert "loss: imdb-gru up to infinity" in read_legend(figure)[0]


def test_more_than_eight_groups_have_a_panel_per_recipe():
    groups = [
        make_group(recipe, [GOOD], units=units)
        for recipe in ("imdb-gru", "imdb-lstm", "imdb-best")
        for units in (8, 16, 32)
    ]
    figure = draw_comparison(groups)
    shown = [axis for axis in figure.axes if axis.get_visible()]
    titles = [axis.get_title() for axis in shown]
    assert titles == ["imdb-gru", "imdb-lstm", "imdb-best"]
    assert all(len(list_curves(axis)) == 3 for axis in shown)
    assert len({axis.get_ylim() for axis in shown}) == 1
    assert figure.subfigs[0].get_suptitle().startswith("Validation accuracy on imdb")
    small = [t.get_text() for t in shown[0].get_legend().get_texts()]
    assert small == ["units 8", "units 16", "units 32"]
    assert len(draw_comparison(groups[:8]).axes) == 1


def test_of_one_recipe_the_best_eight_are_shown_and_the_picture_says_so():
    groups = [
        make_group("imdb-gru", [(0.8 + 0.01 * k,)], units=k) for k in range(1, 11)
    ]
    figure = draw_comparison(groups)
    (axis,) = figure.axes
    assert len(list_curves(axis)) == 8
    assert "imdb-gru, units 1" not in list_curves(axis)
    assert "the best 8 of 10 groups on validation" in read_legend(figure)[0]


def test_test_scores_are_points_with_the_interval_by_hand():
    tests = [0.80, 0.82, 0.84]
    group = make_group("imdb-gru", [GOOD] * 3, tests=tests)
    # t of 2 degrees of freedom is 4.303; the standard error is 0.02 / sqrt(3).
    low, high = mean_interval(tests)
    assert (low + high) / 2 == pytest.approx(0.82)
    assert high - 0.82 == pytest.approx(4.3027 * 0.02 / math.sqrt(3), rel=1e-4)
    assert mean_interval(tests[:2]) is None
    figure = draw_test_scores([group])
    (axis,) = figure.axes
    (point,) = [line for line in axis.lines if line.get_gid() == "mean"]
    assert list(point.get_xdata()) == [pytest.approx(0.82)]
    (dots,) = [line for line in axis.lines if len(line.get_xdata()) == 3]
    assert sorted(dots.get_xdata()) == tests
    assert axis.get_title() == "Test accuracy on imdb"
    assert "95 % interval" in read_legend(figure)[0]


def test_a_row_per_group_and_a_panel_per_data_set():
    groups = [make_group("imdb-gru", [GOOD]), make_group("imdb-lstm", [WORSE]),
              make_group("sine-gru", [GOOD], data="sine")]  # fmt: skip
    figure = draw_test_scores(groups)
    rows = [[t.get_text() for t in axis.get_yticklabels()] for axis in figure.axes]
    assert rows == [["imdb-gru", "imdb-lstm"], ["sine-gru"]]


def test_seconds_can_be_drawn_in_the_same_way():
    figure = draw_figures(
        [make_group("imdb-gru", [GOOD] * 3)], measure_seconds, "Seconds per epoch"
    )
    (axis,) = figure.axes
    assert axis.get_title() == "Seconds per epoch on imdb"
    (point,) = [line for line in axis.lines if line.get_gid() == "mean"]
    assert list(point.get_xdata()) == [2.0]  # the first epoch, 9 s, does not count


def test_the_cost_picture_marks_a_broken_group_and_hides_no_point():
    groups = [
        make_group("imdb-gru", [GOOD] * 5, seconds=10.0),
        make_group("imdb-lstm", [WORSE] * 5, seconds=20.0),
        make_group("imdb-simple-rnn", [BROKEN], seconds=15.0),
    ]
    figure = draw_cost(groups)
    assert len(figure.axes) == 3
    for axis in figure.axes:
        assert not axis.texts
        assert axis.get_ylim()[0] > 0.6
        (mark,) = list_marks(axis)
        assert mark.get_color() == recipe_colour("imdb-simple-rnn")
    title, entries = read_legend(figure)
    assert "imdb-simple-rnn, 1 seed 0.5000" in title
    assert entries[:3] == ["imdb-gru", "imdb-lstm", "imdb-simple-rnn, 1 seed"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(950, "950"), (1500, "1500"), (12_000, "12k"), (25_100_000, "25.1M")],
)
def test_costs_are_short_numbers(value, text):
    assert format_amount(value) == text


def test_the_picture_of_a_run_names_baselines_once_and_hides_no_point():
    baselines = [make_baseline("majority class", 0.5), make_baseline("linear", 0.85)]
    group = make_group("imdb-gru", [GOOD], baselines=baselines)
    figure = draw_curves(group.runs[0])
    (axis,) = figure.axes
    assert not axis.texts
    assert list(axis.get_xticks()) == [1, 2, 3, 4]
    _, entries = read_legend(figure)
    assert entries == [
        "training", "validation", "best epoch (4)",
        "majority class (accuracy 0.5000, below)", "linear",
    ]  # fmt: skip
    assert axis.get_ylim()[0] > 0.7


def test_an_exploded_training_loss_does_not_flatten_a_run():
    run = make_group("imdb-gru", [(0.8, 0.82, 0.84, 0.85, 0.86, 0.87)]).runs[0]
    run.history["loss"] = [1e9, 0.5, 0.4, 0.35, 0.3, 0.3]
    run.history["val_loss"] = [0.6, 0.5, 0.45, 0.4, 0.4, 0.38]
    figure = draw_curves(run)
    axis = figure.axes[1]
    assert axis.get_ylim()[1] < 3
    assert len(list_marks(axis)) == 1
    assert "training up to 1000000000" in read_legend(figure)[0].replace("\n", " ")


def test_of_many_groups_twelve_have_a_name_in_the_picture_of_costs():
    groups = [
        make_group("imdb-gru", [tuple(v - 0.001 * k for v in GOOD)], units=8 + k)
        for k in range(20)
    ]
    groups.append(make_group("imdb-lstm", [WORSE]))
    figure = draw_cost(groups)
    title, entries = read_legend(figure)
    assert "12 of 21 groups have a name" in title
    named = [entry for entry in entries if entry.startswith("imdb-")]
    assert len(named) == 12
    assert "imdb-lstm" in named  # the worst score, but the best of its recipe
    assert "imdb-gru, units 8" in named
    assert "imdb-gru, units 27" not in named
    small = [line for line in figure.axes[0].lines if line.get_marker() == "."]
    assert sum(len(line.get_xdata()) for line in small) == 9
