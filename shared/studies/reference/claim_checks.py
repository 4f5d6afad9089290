"""The checks that claims are made of: tests, figures of runs, epochs, weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from shared.compare.tables import summarise
from shared.compare.verdicts import format_ends
from shared.core.recipes import list_recipes
from shared.runs.reader import Run
from shared.runs.terminal import format_score
from shared.studies.reference.claims import (
    FAILS,
    HOLDS,
    NOT_RUN,
    UNDECIDED,
    Check,
    Part,
    decide,
)
from shared.studies.reference.published import (
    Reference,
    average,
    count_to_convergence,
    list_values,
)
from shared.tasks.score import Score

LOADED = 0.3  # allowed difference in the number of other runs at the same time

# Bounds of a test difference, in multiples of what is worth seeing (0.5 points of
# accuracy, 2 % of a mean error): a part holds above the first, fails below the second.
BETTER = (0, 1)  # a gain; it fails once a gain worth seeing is ruled out
NO_WORSE = (-1, -1)  # no loss worth seeing
LITTLE = 2  # up to 1 point or 4 % is little
MUCH = 5  # from 10 % of a mean error on it is much


def check_test(
    first: str, second: str, bounds: tuple[float, float], statement: str = ""
) -> Check:
    """Check whether one experiment scores better on the test than another.

    Args:
        first: Label of the experiment.
        second: Label of the other one.
        bounds: Multiples of what is worth seeing, see `BETTER`.
        statement: In words; the default says that the first scores better.
    """
    text = statement or f"`{first}` scores better on the test than `{second}`"

    def check(reference: Reference) -> Part:
        groups = [reference.groups.get(label) for label in (first, second)]
        row, sign = reference.verdicts.get((first, second)), 1
        if row is None:
            row, sign = reference.verdicts.get((second, first)), -1
        if row is None or None in groups:
            return Part(text, NOT_RUN, _list_missing(reference, (first, second)))
        rows = [summarise(group) for group in groups]
        score = groups[0].runs[0].score
        numbers = (
            f"test {score.metric} {_format_mean(rows[0])} against "
            f"{_format_mean(rows[1])}. "
        )
        if not row["difference"] or row["design"] == "networks":
            return Part(text, UNDECIDED, numbers + row["sentence"])
        sign *= score.sign
        ends = sorted(sign * float(row[f"corrected_{k}"]) for k in ("low", "high"))
        worth = score.find_worth(rows[1]["test_best_mean"])
        limits = [bound * worth for bound in bounds]
        outcome = decide(*ends, *limits)
        return Part(text, outcome, numbers + fit_sentence(row, outcome, limits, score))

    return check


def check_runs(
    first: str,
    second: str,
    measure: Callable[[Run], float],
    statement: str,
    unit: str,
    worth: Callable[[float], float],
    timed: bool = False,
) -> Check:
    """Check whether a figure of the runs is larger in one experiment than in another.

    Args:
        first: Label of the experiment.
        second: Label of the other one; seeds are paired.
        measure: Returns the figure of a run.
        statement: In words.
        unit: Unit of the figure, with a space in front.
        worth: Mean figure of the second -> a difference that is worth seeing.
        timed: Whether the figure is a time, which depends on other runs at the time.
    """

    def check(reference: Reference) -> Part:
        groups = [reference.groups.get(label) for label in (first, second)]
        if None in groups:
            return Part(statement, NOT_RUN, _list_missing(reference, (first, second)))
        one, other = (list_values(group, measure) for group in groups)
        common = sorted(one.keys() & other.keys())
        found = average({seed: one[seed] - other[seed] for seed in common})
        if found is None:
            numbers = f"{len(common)} seeds in common are too few."
            return Part(statement, UNDECIDED, numbers)
        means = [sum(part[s] for s in common) / len(common) for part in (one, other)]
        ends = found.interval()
        numbers = (
            f"`{first}` {means[0]:.3g}{unit}, `{second}` {means[1]:.3g}{unit}, "
            f"difference {format_ends(*ends)} (95 %, {len(common)} seeds)."
        )
        if timed:
            loads = [_measure_load(reference, label) for label in (first, second)]
            others = f"{loads[0]:.1f} and {loads[1]:.1f}"
            numbers += f" Other runs at the same time: {others} on average."
            if abs(loads[0] - loads[1]) > LOADED or not _is_same_machine(groups):
                numbers += " Not timed under the same conditions."
                return Part(statement, UNDECIDED, numbers)
        outcome = decide(*ends, 0, worth(means[1]))
        return Part(statement, outcome, numbers)

    return check


def check_convergence(label: str, low: float, high: float) -> Check:
    """Check whether the mean epoch of convergence is between two numbers."""
    statement = f"`{label}` converges in epoch {low:g} to {high:g}"

    def check(reference: Reference) -> Part:
        if label not in reference.groups:
            return Part(statement, NOT_RUN, _list_missing(reference, (label,)))
        values = list_values(reference.groups[label], count_to_convergence)
        found = average(values)
        if found is None:
            numbers = f"{len(values)} seeds are too few."
            return Part(statement, UNDECIDED, numbers)
        ends = found.interval()
        numbers = (
            f"mean {found.value:.1f}, {format_ends(*ends)} "
            f"(95 %, {len(values)} seeds); "
            f"seed by seed {' '.join(f'{value:g}' for value in values.values())}."
        )
        if low <= ends[0] and ends[1] <= high:
            return Part(statement, HOLDS, numbers)
        outside = ends[1] < low or ends[0] > high
        return Part(statement, FAILS if outside else UNDECIDED, numbers)

    return check


def check_weights(first: str, second: str, share: float) -> Check:
    """Check whether one layer has a given share of the weights of another.

    The check counts the two matrices of each gate. The text also gives the weights
    with biases. Each network has one recurrent layer.
    """
    statement = f"the layer of `{first}` has {share:g} of the weights of `{second}`"

    def check(reference: Reference) -> Part:
        if not {first, second} <= reference.groups.keys():
            return Part(statement, NOT_RUN, _list_missing(reference, (first, second)))
        layers, gates = [], []
        for label in (first, second):
            (layer,) = reference.groups[label].runs[0].summary["recurrent_layers"]
            units, inputs = layer["units"], layer["inputs"]
            layers.append(layer["parameters"])
            gates.append(layer["parameters"] // (units * (units + inputs)))
        numbers = (
            f"{gates[0]} gates against {gates[1]}, each with two matrices, are "
            f"{gates[0] / gates[1]:g}; with the biases {layers[0]:,} against "
            f"{layers[1]:,} weights, {layers[0] / layers[1]:.3f}."
        )
        holds = math.isclose(gates[0] / gates[1], share)
        return Part(statement, HOLDS if holds else FAILS, numbers)

    return check


def check_baseline(label: str) -> Check:
    """Check whether a network beats the simple model that is best on validation."""
    statement = f"`{label}` beats the best simple model"

    def check(reference: Reference) -> Part:
        row = reference.find_baseline(label)
        group = reference.groups.get(label)
        if group is None or row is None:
            return Part(statement, NOT_RUN, _list_missing(reference, (label,)))
        if not row["difference"] or row["design"] == "networks":
            return Part(statement, UNDECIDED, row["sentence"])
        score = group.runs[0].score
        ends = sorted(
            score.sign * float(row[f"corrected_{k}"]) for k in ("low", "high")
        )
        worth = score.find_worth(summarise(group)["test_best_mean"])
        outcome = decide(*ends, 0, worth)
        sentence = fit_sentence(row, outcome, (0, worth), score)
        return Part(statement, outcome, sentence)

    return check


def check_every_network(control: str) -> Check:
    """Check every published recipe at its defaults against its best simple model.

    Only published runs are read, so a new recipe changes nothing.

    Args:
        control: Name of the recipe that has no recurrent layer.
    """

    def check(reference: Reference) -> list[Part]:
        labels = [
            label
            for label, group in reference.groups.items()
            if label == group.runs[0].recipe != control
        ]
        if not labels:
            return [Part("every network beats the best simple model", NOT_RUN, "")]
        order = {name: k for k, name in enumerate(list_recipes())}
        labels.sort(key=lambda label: order.get(label, len(order)))
        return [check_baseline(label)(reference) for label in labels]

    return check


def fit_sentence(
    row: Mapping[str, str], outcome: str, limits: Sequence[float], score: Score
) -> str:
    """Return the sentence of a verdict, with an end that fits the outcome of a claim.

    A verdict without a difference ends with how many more seeds would settle one, in
    either direction. A claim asks about one direction, and that may be settled.

    Args:
        row: A row of `verdicts.csv`.
        outcome: Of the claim.
        limits: The claim holds above the first, and fails below the second. In the
            metric, positive where the claim's side scores better.
        score: Score of the task.
    """
    start, shown, need = row["sentence"].partition("); ")
    scale, unit = score.format_unit()
    gain, loss = (f"{scale * abs(limit):.2g}{unit}" for limit in reversed(limits))
    if not shown:
        return row["sentence"]
    if outcome == FAILS and limits[1] > 0:
        return f"{start}). A gain of {gain} is ruled out."
    if outcome == HOLDS and limits[0] < 0:
        return f"{start}). A difference of {loss} is ruled out."
    if outcome == UNDECIDED and "probably have been seen" in need:
        return f"{start}). A gain of {gain} is not ruled out."
    return row["sentence"] if outcome == UNDECIDED else f"{start})."


def _format_mean(row: dict) -> str:
    mean, deviation = row["test_best_mean"], row["test_best_sd"]
    return format_score(mean) + (
        f" ± {format_score(deviation)}" if deviation is not None else ""
    )


def _list_missing(reference: Reference, labels: Sequence[str]) -> str:
    missing = [f"`{label}`" for label in labels if label not in reference.groups]
    if missing:
        return f"no published runs of {' and '.join(missing)}."
    return "their test predictions were not compared when they were published."


def _measure_load(reference: Reference, label: str) -> float:
    runs = reference.groups[label].runs
    loads = [run.config.get("published", {}).get("beside", 0.0) for run in runs]
    return sum(loads) / len(loads)


def _is_same_machine(groups: Sequence) -> bool:
    """Return whether all runs had the same processor, threads and versions."""
    kinds = [
        (run.config["device"], run.config["versions"])
        for group in groups
        for run in group.runs
    ]
    return all(kind == kinds[0] for kind in kinds)
