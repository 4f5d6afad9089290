"""The claims of tutorials and books, and how each is checked."""

from __future__ import annotations

from functools import cache
from typing import Any

from shared.runs.epoch_seconds import measure_seconds
from shared.studies.reference.claim_checks import (
    BETTER,
    LITTLE,
    MUCH,
    NO_WORSE,
    check_convergence,
    check_every_network,
    check_runs,
    check_test,
    check_weights,
)
from shared.studies.reference.claims import SECONDS, TESTS, Check, Claim
from shared.studies.reference.experiments import (
    WEATHERS,
    list_experiments,
    make_experiment,
)
from shared.studies.reference.published import (
    count_to_convergence,
    measure_rise,
)

CONVERGES = (
    "An experiment has converged in the first epoch whose validation score is within "
    "0.5 points of accuracy, or 2 % of a mean error, of the best epoch's."
)
HALF_AN_EPOCH = 0.5
CONTROL = "weather-dense"
"""A network without a recurrent layer."""
SHARE_OF_SECONDS = 0.05


@cache
def list_claims() -> tuple[Claim, ...]:
    """Return every claim, in the order of the page."""
    gru, lstm, simple = (_name(f"imdb-{k}") for k in ("gru", "lstm", "simple-rnn"))
    fixed_gru, fixed_lstm, fixed_simple = (
        _name(f"imdb-{k}", batching="fixed") for k in ("gru", "lstm", "simple-rnn")
    )
    fixed_stacked, stacked, fixed_both_ways, both_ways = (
        _name(f"imdb-{k}", batching=how)
        for k in ("stacked-simple-rnn", "bidirectional-lstm")
        for how in ("fixed", "bucketed")
    )
    turned = _name("imdb-gru", go_backwards=True)
    dropped, kept = (
        _name("imdb-gru-dropout"),
        _name("imdb-gru-dropout", recurrent_dropout=0.0),
    )
    weather, weather_turned = _name("weather-gru"), _name("weather-gru", reverse=True)
    weather_dropped, weather_kept = (
        _name("weather-gru-dropout"),
        _name("weather-gru-dropout", recurrent_dropout=0.0),
    )
    single = _name("weather-gru-dropout", dropout=0.1, recurrent_dropout=0.5)
    conv, deep = _name("weather-conv1d-gru"), _name("weather-stacked-gru")
    real = tuple(
        e.label
        for e in list_experiments()
        if not e.changes and e.list_data(WEATHERS[0]) and e.recipe != CONTROL
    )
    return (
        Claim(
            "weights",
            "GRU has three quarters of LSTM's recurrent parameters",
            "Three gates against four, each with one matrix for its inputs and one for "
            "the state. Keras' GRU has two biases per gate.",
            (check_weights(gru, lstm, 0.75),),
            (),
        ),
        Claim(
            "gru-faster",
            "GRU trains faster per epoch than LSTM",
            "Median seconds of the epochs after the first, seed by seed. It fails once "
            "a gain of 5 % is ruled out.",
            (
                _check_seconds(gru, lstm),
                _check_seconds(_name("memory-gru"), _name("memory-lstm")),
            ),
            (gru, lstm, _name("memory-gru"), _name("memory-lstm")),
            shows=SECONDS,
        ),
        Claim(
            "gru-converges",
            "GRU converges in fewer epochs",
            f"{CONVERGES} Compared with LSTM, with the tutorials' batches and with "
            "bucketed ones. It fails once a gain of half an epoch is ruled out.",
            (
                _check_epochs(fixed_lstm, fixed_gru),
                _check_epochs(lstm, gru),
            ),
            (fixed_gru, fixed_lstm, gru, lstm),
        ),
        _compare_tests(
            "lstm-best",
            "LSTM is the most accurate on IMDB (0.875 against 0.85)",
            "It scores better on the test than GRU and SimpleRNN, with the tutorials' "
            "batches and with bucketed ones. It fails once a gain of 0.5 points is "
            "ruled out.",
            [
                (fixed_lstm, fixed_gru, BETTER, ""),
                (fixed_lstm, fixed_simple, BETTER, ""),
                (lstm, gru, BETTER, ""),
                (lstm, simple, BETTER, ""),
            ],
        ),
        Claim(
            "three-epochs",
            "They converge in about three epochs",
            f"{CONVERGES} About three: the mean over seeds is between 2 and 4.",
            tuple(
                check_convergence(label, 2, 4)
                for label in (fixed_simple, fixed_lstm, fixed_gru, simple, lstm, gru)
            ),
            (fixed_simple, fixed_lstm, fixed_gru),
        ),
        _compare_tests(
            "simple-rnn",
            "SimpleRNN is not fit for long text",
            "GRU and LSTM, which differ only in the layer, score better on reviews of "
            "up to 500 words, and on the sum of two numbers many steps ago.",
            [
                (gru, simple, BETTER, ""),
                (lstm, simple, BETTER, ""),
                (_name("memory-gru"), _name("memory-simple-rnn"), BETTER, ""),
            ],
        ),
        _compare_tests(
            "stacking",
            "Stacking helps little",
            "Four SimpleRNN layers against one, with the tutorials' batches and with "
            "bucketed ones, and two GRU layers (the upper one larger, with relu) "
            "against one with the same dropout. The gain on the test is below 1 point "
            "of accuracy or 4 % of the mean error.",
            [
                (
                    fixed_simple,
                    fixed_stacked,
                    (-LITTLE, -LITTLE),
                    f"`{fixed_stacked}` gains less than 1 point on `{fixed_simple}`",
                ),
                (
                    simple,
                    stacked,
                    (-LITTLE, -LITTLE),
                    f"`{stacked}` gains less than 1 point on `{simple}`",
                ),
                (
                    single,
                    deep,
                    (-LITTLE, -LITTLE),
                    f"`{deep}` gains less than 4 % on `{single}`",
                ),
            ],
        ),
        Claim(
            "recurrent-dropout",
            "Recurrent dropout reduces overfitting and needs more epochs",
            "With and without it, with the same dropout of the inputs. Overfitting: "
            "how much worse the last epoch is on validation than the best. "
            f"{CONVERGES} It fails once 0.5 points or 2 % less, or half an epoch more, "
            "are ruled out.",
            (
                _check_rise(kept, dropped, " points", 0.5),
                _check_epochs(dropped, kept),
                _check_rise(weather_kept, weather_dropped, " %", 2.0),
                _check_epochs(weather_dropped, weather_kept),
            ),
            (dropped, kept, weather_dropped, weather_kept),
        ),
        _compare_tests(
            "both-ways",
            "Bidirectional helps on text",
            "One LSTM in each direction against one LSTM, with the tutorials' batches "
            "and with bucketed ones. It fails once a gain of 0.5 points is ruled out.",
            [
                (fixed_both_ways, fixed_lstm, BETTER, ""),
                (both_ways, lstm, BETTER, ""),
            ],
        ),
        _compare_tests(
            "reversed",
            "Reversed order costs nothing on text and much on weather",
            "Nothing: less than 0.5 points of accuracy. Much: more than 10 % of the "
            "mean error.",
            [
                (turned, gru, NO_WORSE, f"`{turned}` loses less than 0.5 points"),
                (
                    weather,
                    weather_turned,
                    (MUCH, MUCH),
                    f"`{weather_turned}` loses more than 10 %",
                ),
            ],
        ),
        Claim(
            "convolution",
            "Convolution before a GRU buys speed at little loss on long series",
            "Against a GRU with the same dropout that reads all 120 steps. Speed: "
            "median seconds of the epochs after the first. Little loss: less than 4 % "
            "of the mean error.",
            (
                _check_seconds(conv, single),
                check_test(
                    conv,
                    single,
                    (-LITTLE, -LITTLE),
                    f"`{conv}` loses less than 4 % against `{single}`",
                ),
            ),
            (conv, single),
            ((conv, single),),
            TESTS,
        ),
        Claim(
            "simple-models",
            "Recurrent networks beat simple models",
            "Every recurrent recipe against the simple model that is best on "
            "validation, on the same test examples. This is a linear model wherever "
            "there is one. It fails once a gain of 0.5 points or 2 % is ruled out.",
            (check_every_network(CONTROL),),
            real,
            shows=TESTS,
        ),
    )


def _name(recipe: str, **changes: Any) -> str:
    return make_experiment(recipe, **changes).label


def _compare_tests(
    key: str,
    sentence: str,
    how: str,
    parts: list[tuple[str, str, tuple[float, float], str]],
) -> Claim:
    """Return a claim whose checks all compare test scores."""
    labels = [label for part in parts for label in part[:2]]
    return Claim(
        key,
        sentence,
        how,
        tuple(check_test(*part) for part in parts),
        tuple(dict.fromkeys(labels)),
        tuple(part[:2] for part in parts),
        TESTS,
    )


def _check_seconds(quick: str, slow: str) -> Check:
    return check_runs(
        slow,
        quick,
        measure_seconds,
        f"`{quick}` takes fewer seconds per epoch than `{slow}`",
        " s",
        lambda mean: SHARE_OF_SECONDS * mean,
        timed=True,
    )


def _check_epochs(late: str, early: str) -> Check:
    return check_runs(
        late,
        early,
        count_to_convergence,
        f"`{early}` converges in fewer epochs than `{late}`",
        " epochs",
        lambda _: HALF_AN_EPOCH,
    )


def _check_rise(without: str, with_it: str, unit: str, worth: float) -> Check:
    return check_runs(
        without,
        with_it,
        measure_rise,
        f"`{with_it}` overfits less than `{without}`",
        unit,
        lambda _: worth,
    )
