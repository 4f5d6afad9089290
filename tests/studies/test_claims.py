"""Claims on made-up reference runs: each outcome, with numbers known by hand."""

import math

import pytest

from shared.runs.epoch_seconds import measure_seconds
from shared.runs.groups import Group
from shared.runs.reader import Run
from shared.studies.reference.claim_checks import (
    BETTER,
    MUCH,
    NO_WORSE,
    check_baseline,
    check_convergence,
    check_runs,
    check_test,
    check_weights,
    fit_sentence,
)
from shared.studies.reference.claim_list import list_claims
from shared.studies.reference.claims import (
    FAILS,
    HOLDS,
    IN_PART,
    NOT_ALL_RUN,
    NOT_RUN,
    SECONDS,
    TESTS,
    UNDECIDED,
    combine,
    decide,
)
from shared.studies.reference.claims_page import format_claims
from shared.studies.reference.published import (
    Reference,
    average,
    count_to_convergence,
    measure_rise,
)
from tests.helpers import PROJECT

SCORES = {"accuracy": True, "mae": False}
KINDS = {"accuracy": "binary_classification", "mae": "regression"}


def make_run(seed=0, values=(0.8, 0.9), metric="accuracy", test=0.85, **more):
    """Return a published run with given validation scores, epoch by epoch."""
    higher = SCORES[metric]
    score = {"metric": metric, "higher_is_better": higher, "is_share": higher}
    epochs = list(range(1, len(values) + 1))
    published = {"run": "x", "beside": more.get("beside", 0.0)}
    return Run(
        PROJECT / f"seed{seed}",
        {
            "settings": {}, "roles": {}, "follows": {}, "changed": {},
            "device": more.get("device", {}), "versions": {},
            "code": {}, "published": published,
        },
        {
            "recipe": "r", "data": "d", "seed": seed, "baselines": [],
            "task": {"kind": KINDS[metric], "score": score}, "leak_check": None,
            "recurrent_layers": [more.get("layer")],
            "best": {"epoch": 1, f"val_{metric}": values[0]},
            "last": {"epoch": 2, f"val_{metric}": values[-1]},
            "test": {k: {f"test_{metric}": test} for k in ("best", "last")},
            "parameters": more.get("parameters", 326_369), "seconds": 9.0,
            "seconds_per_epoch": 3.0, "peak_memory_mb": 1,
        },
        {
            "epoch": epochs, f"val_{metric}": list(values),
            "seconds": more.get("seconds", [9.0] + [3.0] * (len(values) - 1)),
        },
        "finished",
    )  # fmt: skip


def make_reference(groups=None, rows=()):
    """Return a reference of label -> runs and verdict rows."""
    made = {k: Group(k, "d", list(runs)) for k, runs in (groups or {}).items()}
    return Reference(PROJECT, made, {(r["first"], r["second"]): r for r in rows})


def make_row(first, second, low, high, design="paired", is_baseline=False):
    row = {"first": first, "second": second, "second_is_baseline": str(is_baseline)}
    row |= {"design": design, "difference": str((low + high) / 2)}
    row |= {"corrected_low": str(low), "corrected_high": str(high)}
    return row | {"sentence": "a sentence."}


def test_an_interval_decides_by_hand():
    assert decide(0.1, 0.2, above=0, below=0.5) == HOLDS  # small, but there
    assert decide(-0.1, 0.4, above=0, below=0.5) == FAILS
    assert decide(-0.9, -0.4, above=0, below=0.5) == FAILS
    assert decide(-0.1, 0.6, above=0, below=0.5) == UNDECIDED
    assert decide(-0.4, 9.0, above=-0.5, below=-0.5) == HOLDS
    assert decide(-0.6, 9.0, above=-0.5, below=-0.5) == UNDECIDED
    assert decide(-9.0, -0.6, above=-0.5, below=-0.5) == FAILS


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([HOLDS, HOLDS], HOLDS),
        ([FAILS, FAILS], FAILS),
        ([HOLDS, FAILS], IN_PART),
        ([HOLDS, FAILS, UNDECIDED], IN_PART),
        ([HOLDS, UNDECIDED], UNDECIDED),
        ([FAILS, UNDECIDED], FAILS),
        ([HOLDS, NOT_RUN], NOT_ALL_RUN),
        ([FAILS, UNDECIDED, NOT_RUN], NOT_ALL_RUN),
        ([NOT_RUN, NOT_RUN], NOT_RUN),
        ([], NOT_RUN),
    ],
)
def test_a_claim_of_parts(outcomes, expected):
    assert combine(outcomes) == expected
    assert combine(outcomes[::-1]) == expected


# 0.5 points of accuracy are worth seeing.
@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 0.03, HOLDS),
        (-0.01, 0.004, FAILS),
        (-0.03, -0.01, FAILS),
        (-0.01, 0.02, UNDECIDED),
    ],
)
def test_a_gain_in_accuracy(low, high, expected):
    groups = {"one": [make_run()], "two": [make_run()]}
    check = check_test("one", "two", BETTER)
    part = check(make_reference(groups, [make_row("one", "two", low, high)]))
    assert part.outcome == expected
    assert "test accuracy 0.8500 against 0.8500. a sentence." in part.numbers
    turned = check(make_reference(groups, [make_row("two", "one", -high, -low)]))
    assert turned == part


# Of a mean error of 2, worth seeing is 0.04 and much is 0.2.
@pytest.mark.parametrize(
    ("bounds", "low", "high", "expected"),
    [
        (BETTER, -0.3, -0.1, HOLDS),  # a lower error is better
        (BETTER, 0.1, 0.3, FAILS),
        (NO_WORSE, -0.01, 0.03, HOLDS),
        (NO_WORSE, 0.05, 0.30, FAILS),
        (NO_WORSE, 0.03, 0.05, UNDECIDED),
        ((MUCH, MUCH), -0.4, -0.21, HOLDS),
        ((MUCH, MUCH), -0.19, 0.1, FAILS),
        ((MUCH, MUCH), -0.3, -0.1, UNDECIDED),
    ],
)
def test_errors_by_hand(bounds, low, high, expected):
    runs = [make_run(metric="mae", values=(2.1, 2.0), test=2.0)]
    rows = [make_row("one", "two", low, high)]
    reference = make_reference({"one": runs, "two": runs}, rows)
    assert check_test("one", "two", bounds)(reference).outcome == expected


def test_missing_runs_give_not_run_and_one_seed_decides_nothing():
    check = check_test("one", "two", BETTER)
    part = check(make_reference({"one": [make_run()]}))
    assert part.outcome == NOT_RUN
    assert part.numbers == "no published runs of `two`."
    groups = {"one": [make_run()], "two": [make_run()]}
    part = check(make_reference(groups))
    assert part.outcome == NOT_RUN
    assert "not compared" in part.numbers
    row = make_row("one", "two", 0.1, 0.2, design="networks")
    assert check(make_reference(groups, [row])).outcome == UNDECIDED
    row = make_row("one", "two", 0.1, 0.2) | {"difference": ""}
    assert check(make_reference(groups, [row])).outcome == UNDECIDED


def test_convergence_and_overfitting_of_one_run_by_hand():
    run = make_run(values=(0.80, 0.876, 0.88, 0.86))
    assert count_to_convergence(run) == 2  # within 0.005 of 0.88
    assert measure_rise(run) == pytest.approx(2.0)  # points
    run = make_run(values=(2.5, 2.05, 2.03, 2.0, 2.2), metric="mae")
    assert count_to_convergence(run) == 3  # within 0.04 of 2.0
    assert measure_rise(run) == pytest.approx(10.0)  # percent
    run = make_run(values=(math.nan, 0.5, math.nan))
    assert (count_to_convergence(run), measure_rise(run)) == (2, 0)
    assert math.isnan(count_to_convergence(make_run(values=(math.nan,))))
    assert measure_seconds(make_run(seconds=[90.0, 2.0, 4.0, 3.0])) == 3
    assert measure_seconds(make_run(seconds=[90.0])) == 90


def test_the_mean_of_seeds_by_hand():
    """t = 4.303 for 2 degrees of freedom; sd 1, so half is 4.303 / sqrt 3."""
    found = average({0: 2.0, 1: 3.0, 2: 4.0})
    assert found.value == 3
    low, high = found.interval()
    assert (high - low) / 2 == pytest.approx(4.3027 / 3**0.5, abs=1e-3)
    assert average({0: 2.0, 1: 3.0}) is None


def late(epoch):
    """Return validation scores that converge in an epoch."""
    return [0.5] * (epoch - 1) + [0.9] * (10 - epoch)


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        ([3, 3, 3, 3, 4], HOLDS),
        ([6, 7, 7, 8, 7], FAILS),
        ([1, 1, 1, 1, 1], FAILS),
        ([2, 3, 6, 4, 5], UNDECIDED),
        ([3, 3], UNDECIDED),
        ([], NOT_RUN),
    ],
)
def test_converging_in_about_three_epochs(epochs, expected):
    runs = [make_run(seed, late(epoch)) for seed, epoch in enumerate(epochs)]
    reference = make_reference({"one": runs} if runs else {})
    part = check_convergence("one", 2, 4)(reference)
    assert part.outcome == expected
    if expected in (HOLDS, FAILS):
        assert " ".join(map(str, epochs)) in part.numbers


def compare_seconds(first, second, **more):
    groups = {
        "slow": [make_run(k, seconds=[9, s], **more) for k, s in enumerate(first)],
        "quick": [make_run(k, seconds=[9, s]) for k, s in enumerate(second)],
    }
    check = check_runs(
        "slow", "quick", measure_seconds, "q", " s", lambda m: 0.05 * m, timed=True
    )
    return check(make_reference(groups))


def test_seconds_are_compared_seed_by_seed():
    part = compare_seconds([3.0, 3.1, 3.2], [2.0, 2.1, 2.3])
    assert part.outcome == HOLDS
    assert "`slow` 3.1 s, `quick` 2.13 s" in part.numbers
    assert compare_seconds([2.0, 2.1, 2.3], [3.0, 3.1, 3.2]).outcome == FAILS
    assert compare_seconds([3.0, 3.1, 3.2], [3.0, 3.1, 3.21]).outcome == FAILS
    assert compare_seconds([3.0, 4.0, 2.0], [2.0, 3.9, 3.0]).outcome == UNDECIDED
    assert compare_seconds([3.0, 3.1], [2.0, 2.1]).outcome == UNDECIDED
    assert compare_seconds([], [2.0, 2.1, 2.2]).outcome == UNDECIDED


def test_times_under_other_conditions_decide_nothing():
    times = [3.0, 3.1, 3.2], [2.0, 2.1, 2.3]
    loaded = compare_seconds(*times, beside=1.0)
    assert loaded.outcome == UNDECIDED
    assert "at the same time: 1.0 and 0.0" in loaded.numbers
    assert compare_seconds(*times, beside=0.2).outcome == HOLDS
    assert compare_seconds(*times, device={"cpu": "other"}).outcome == UNDECIDED


def test_the_weights_of_gru_and_lstm_by_the_textbook():
    gru = 3 * (32 * 32 + 32 * 32 + 2 * 32)
    lstm = 4 * (32 * 32 + 32 * 32 + 32)
    groups = {
        name: [make_run(layer={"units": 32, "inputs": 32, "parameters": weights})]
        for name, weights in (("gru", gru), ("lstm", lstm), ("other", 2 * lstm))
    }
    part = check_weights("gru", "lstm", 0.75)(make_reference(groups))
    assert part.outcome == HOLDS
    assert "3 gates against 4" in part.numbers
    assert "6,336 against 8,320 weights, 0.762" in part.numbers
    assert check_weights("gru", "other", 0.75)(make_reference(groups)).outcome == FAILS
    assert check_weights("gru", "none", 0.75)(make_reference(groups)).outcome == NOT_RUN


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.001, 0.02, HOLDS), (-0.03, -0.02, FAILS), (-0.01, 0.02, UNDECIDED)],
)
def test_a_network_against_its_baseline(low, high, expected):
    groups = {"one": [make_run()]}
    rows = [make_row("one", "linear model", low, high, is_baseline=True)]
    assert check_baseline("one")(make_reference(groups, rows)).outcome == expected
    assert check_baseline("one")(make_reference(groups)).outcome == NOT_RUN


def test_without_any_run_every_claim_is_not_run():
    page = format_claims(make_reference(), list_claims())
    assert page.count("| not run |") == page.count("**Not run.**") == 12
    assert "![" not in page
    for claim in list_claims():
        verdict, parts = claim.evaluate(make_reference())
        assert verdict == NOT_RUN
        assert parts
        assert {part.outcome for part in parts} == {NOT_RUN}


def find_claim(key):
    (claim,) = [claim for claim in list_claims() if claim.key == key]
    return claim


def test_a_whole_claim_holds_or_fails_with_its_parts():
    claim = find_claim("both-ways")
    assert len(claim.pairs) == 2  # fixed and bucketed batches
    groups = {label: [make_run()] for pair in claim.pairs for label in pair}
    for low, high, expected in ((0.01, 0.02, HOLDS), (-0.01, 0.001, FAILS)):
        rows = [make_row(*pair, low, high) for pair in claim.pairs]
        reference = make_reference(groups, rows)
        assert claim.evaluate(reference)[0] == expected
        assert f"**{expected.capitalize()}.**" in format_claims(reference, [claim])


def test_stacking_that_helps_much_is_not_little():
    claim = find_claim("stacking")
    (fixed, fixed_stacked), (one, stacked), (single, deep) = claim.pairs
    points = {label: [make_run()] for label in (fixed, fixed_stacked, one, stacked)}
    degrees = {
        label: [make_run(metric="mae", values=(2.0,), test=2.0)]
        for label in (single, deep)
    }
    rows = [
        make_row(fixed_stacked, fixed, 0.001, 0.008),  # at most 0.8 points better
        make_row(stacked, one, 0.012, 0.03),  # 1.2 to 3 points better
        make_row(deep, single, -0.05, 0.01),  # at most 0.05 of 2 better
    ]
    verdict, parts = claim.evaluate(make_reference(points | degrees, rows))
    assert [part.outcome for part in parts] == [HOLDS, FAILS, HOLDS]
    assert verdict == IN_PART


def test_recurrent_dropout_that_does_both():
    claim = find_claim("recurrent-dropout")
    dropped, kept, weather_dropped, weather_kept = claim.drawn
    curves = {"accuracy": (0.9, 0.8), "mae": (2.0, 3.0)}
    groups = {}
    for metric, late_label, early_label in (
        ("accuracy", dropped, kept),
        ("mae", weather_dropped, weather_kept),
    ):
        best, worse = curves[metric]
        flat = [worse, worse, best, best]
        rises = [best, worse, worse, worse]
        groups[late_label] = [make_run(k, flat, metric) for k in range(3)]
        groups[early_label] = [make_run(k, rises, metric) for k in range(3)]
    verdict, parts = claim.evaluate(make_reference(groups))
    assert [part.outcome for part in parts] == [HOLDS] * 4
    assert verdict == HOLDS
    swapped = dict(zip(groups, [groups[k] for k in (kept, dropped)], strict=False))
    verdict, parts = claim.evaluate(make_reference(groups | swapped))
    assert [part.outcome for part in parts] == [FAILS, FAILS, HOLDS, HOLDS]
    assert verdict == IN_PART


ENOUGH = "a and b: no difference shown (-1 to 1 points, 95 %, 5 seeds); "


@pytest.mark.parametrize(
    ("need", "outcome", "limits", "end"),
    [
        ("about 1 more seed would settle 0.5 points.", FAILS, (0, 0.005),
         "5 seeds). A gain of 0.5 points is ruled out."),
        ("about 1 more seed would settle 0.5 points.", UNDECIDED, (0, 0.005),
         "about 1 more seed would settle 0.5 points."),
        ("a difference of 0.5 points would probably have been seen.", UNDECIDED,
         (0, 0.005), "5 seeds). A gain of 0.5 points is not ruled out."),
        ("about 9 more seeds would settle 0.5 points.", HOLDS, (-0.01, -0.01),
         "5 seeds). A difference of 1 points is ruled out."),
        ("about 9 more seeds would settle 0.5 points.", HOLDS, (0, 0.005),
         "5 seeds)."),
    ],
)  # fmt: skip
def test_a_decided_claim_asks_for_no_more_seeds(need, outcome, limits, end):
    score = make_run().score
    text = fit_sentence({"sentence": ENOUGH + need}, outcome, limits, score)
    assert text.startswith("a and b: no difference shown (-1 to 1 points")
    assert text.endswith(end)
    plain = {"sentence": "a is 1 to 2 points better than b (95 %, 5 seeds)."}
    assert fit_sentence(plain, outcome, limits, score) == plain["sentence"]


def test_pictures_show_what_their_claims_are_about():
    shows = {claim.key: claim.shows for claim in list_claims()}
    tests = [key for key, kind in shows.items() if kind == TESTS]
    assert set(tests) == {
        "lstm-best", "simple-rnn", "stacking", "both-ways", "reversed", "convolution",
        "simple-models",
    }  # fmt: skip
    for claim in list_claims():
        assert bool(claim.pairs) <= (claim.shows == TESTS), claim.key
    assert shows["gru-faster"] == SECONDS
