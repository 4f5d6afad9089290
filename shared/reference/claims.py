"""What is said of recurrent networks, and what the reference runs say to it.

Every claim has parts, each a question to one pair of experiments, or to one. The
answer to a part is one of `HOLDS`, `FAILS`, `UNDECIDED` and `NOT_RUN`; an interval
decides it, never a mean alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.reference.record import (
    Reference,
    average,
    count_to_convergence,
    find_worth,
    list_values,
)
from shared.rows import summarise
from shared.runs import Run
from shared.tables import spell
from shared.verdicts import spell_ends

HOLDS, FAILS = "holds", "does not hold"
UNDECIDED, NOT_RUN = "cannot be decided", "not run"
IN_PART, NOT_ALL_RUN = "holds in part", "not run in full"
LOADED = 0.3  # others beside a run, by which two may differ and be timed alike

# Bounds of a test difference, in multiples of what is worth seeing (0.5 points of
# accuracy, 2 % of a mean error): above the first a part holds, below the second not.
BETTER = (0, 1)  # a gain, and it fails once a gain worth seeing is ruled out
NO_WORSE = (-1, -1)  # no loss worth seeing
LITTLE = 2  # up to 1 point or 4 % is little
MUCH = 5  # from 10 % of a mean error on it is much


@dataclass(frozen=True)
class Part:
    """One question and its answer.

    Attributes:
        question: What was asked, in words.
        outcome: `HOLDS`, `FAILS`, `UNDECIDED` or `NOT_RUN`.
        numbers: What it rests on.
    """

    question: str
    outcome: str
    numbers: str


Ask = Callable[[Reference], Part]


@dataclass(frozen=True)
class Claim:
    """A sentence that the reference runs are held against.

    Attributes:
        key: Of its picture.
        sentence: As it is said.
        how: What it was taken to mean.
        asks: Its parts; each answers from the reference alone.
        drawn: Labels of the experiments in its picture.
        questions: Pairs whose tests have to be compared, example by example.
    """

    key: str
    sentence: str
    how: str
    asks: tuple[Ask, ...]
    drawn: tuple[str, ...]
    questions: tuple[tuple[str, str], ...] = field(default=())

    @property
    def picture(self) -> str:
        """Where its picture lies, below the folder of the reference."""
        return f"claims/{self.key}.png"

    def answer(self, reference: Reference) -> tuple[str, list[Part]]:
        """Return the verdict and its parts."""
        parts = [ask(reference) for ask in self.asks]
        return combine([part.outcome for part in parts]), parts


def combine(outcomes: Sequence[str]) -> str:
    """Return the verdict on a claim whose every part has to hold.

    Without all of its parts there is none.
    """
    kinds = set(outcomes)
    if NOT_RUN in kinds or not kinds:
        return NOT_ALL_RUN if kinds - {NOT_RUN} else NOT_RUN
    if {HOLDS, FAILS} <= kinds:
        return IN_PART
    if FAILS in kinds:
        return FAILS
    return UNDECIDED if UNDECIDED in kinds else HOLDS


def decide(low: float, high: float, above: float, below: float) -> str:
    """Return what an interval says: it holds above one bound, fails below another."""
    if low > above:
        return HOLDS
    return FAILS if high < below else UNDECIDED


def list_questions(claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """Return every pair whose tests have to be compared, once."""
    pairs = (pair for claim in claims for pair in claim.questions)
    return list(dict.fromkeys(pairs))


def ask_test(
    first: str, second: str, bounds: tuple[float, float], question: str = ""
) -> Ask:
    """Ask whether one experiment scores better on the test than another.

    Args:
        first: Its label.
        second: Label of what it is held against.
        bounds: In multiples of what is worth seeing, see `BETTER`.
        question: In words; the default says that it scores better.
    """
    asked = question or f"`{first}` scores better on the test than `{second}`"

    def ask(reference: Reference) -> Part:
        groups = [reference.groups.get(label) for label in (first, second)]
        row, sign = reference.verdicts.get((first, second)), 1
        if row is None:
            row, sign = reference.verdicts.get((second, first)), -1
        if row is None or None in groups:
            return Part(asked, NOT_RUN, _list_missing(reference, (first, second)))
        rows = [summarise(group) for group in groups]
        score = groups[0].runs[0].summary["score"]
        numbers = (
            f"test {score['metric']} {_spread(rows[0])} against {_spread(rows[1])}. "
            f"{row['sentence']}"
        )
        if not row["difference"] or row["design"] == "networks":
            return Part(asked, UNDECIDED, numbers)
        sign *= 1 if score["higher_is_better"] else -1
        ends = sorted(sign * float(row[f"corrected_{k}"]) for k in ("low", "high"))
        worth = find_worth(rows[1]["test_best_mean"], groups[1].runs[0])
        outcome = decide(*ends, *(bound * worth for bound in bounds))
        return Part(asked, outcome, numbers)

    return ask


def ask_runs(
    first: str,
    second: str,
    measure: Callable[[Run], float],
    question: str,
    unit: str,
    worth: Callable[[float], float],
    timed: bool = False,
) -> Ask:
    """Ask whether a figure of the runs is larger in one experiment than in another.

    Args:
        first: Its label.
        second: Label of what it is held against, seed by seed.
        measure: The figure of a run.
        question: In words.
        unit: Of the figure, with a space in front.
        worth: Mean figure of the second -> a difference that is worth seeing.
        timed: Whether the figure is a time, and depends on what ran beside.
    """

    def ask(reference: Reference) -> Part:
        groups = [reference.groups.get(label) for label in (first, second)]
        if None in groups:
            return Part(question, NOT_RUN, _list_missing(reference, (first, second)))
        one, other = (list_values(group, measure) for group in groups)
        common = sorted(one.keys() & other.keys())
        found = average({seed: one[seed] - other[seed] for seed in common})
        if found is None:
            told = f"{len(common)} seeds in common are too few."
            return Part(question, UNDECIDED, told)
        means = [sum(part[s] for s in common) / len(common) for part in (one, other)]
        ends = found.interval()
        numbers = (
            f"`{first}` {means[0]:.3g}{unit}, `{second}` {means[1]:.3g}{unit}, "
            f"difference {spell_ends(*ends)} (95 %, {len(common)} seeds)."
        )
        if timed:
            loads = [_measure_load(reference, label) for label in (first, second)]
            beside = f"{loads[0]:.1f} and {loads[1]:.1f}"
            numbers += f" Runs beside them: {beside} on average."
            if abs(loads[0] - loads[1]) > LOADED or not _is_same_machine(groups):
                numbers += " Not timed under the same conditions."
                return Part(question, UNDECIDED, numbers)
        outcome = decide(*ends, 0, worth(means[1]))
        return Part(question, outcome, numbers)

    return ask


def ask_convergence(label: str, low: float, high: float) -> Ask:
    """Ask whether the mean epoch of convergence lies between two numbers."""
    question = f"`{label}` converges in epoch {low:g} to {high:g}"

    def ask(reference: Reference) -> Part:
        if label not in reference.groups:
            return Part(question, NOT_RUN, _list_missing(reference, (label,)))
        values = list_values(reference.groups[label], count_to_convergence)
        found = average(values)
        if found is None:
            told = f"{len(values)} seeds are too few."
            return Part(question, UNDECIDED, told)
        ends = found.interval()
        numbers = (
            f"mean {found.value:.1f}, {spell_ends(*ends)} (95 %, {len(values)} seeds); "
            f"seed by seed {' '.join(f'{value:g}' for value in values.values())}."
        )
        if low <= ends[0] and ends[1] <= high:
            return Part(question, HOLDS, numbers)
        outside = ends[1] < low or ends[0] > high
        return Part(question, FAILS if outside else UNDECIDED, numbers)

    return ask


def ask_weights(first: str, second: str, share: float) -> Ask:
    """Ask whether one layer has a share of the weights of another.

    Both read words through an embedding and end in one unit. Counted are the two
    matrices of each gate; the biases are told beside them.
    """
    question = f"the layer of `{first}` has {share:g} of the weights of `{second}`"

    def ask(reference: Reference) -> Part:
        if not {first, second} <= reference.groups.keys():
            return Part(question, NOT_RUN, _list_missing(reference, (first, second)))
        layers, gates = [], []
        for label in (first, second):
            run = reference.groups[label].runs[0]
            settings = run.config["settings"]
            units, inputs = settings["units"], settings["embedding_size"]
            layer = run.summary["parameters"] - settings["vocabulary"] * inputs
            layer -= units + 1
            layers.append(layer)
            gates.append(layer // (units * (units + inputs)))
        numbers = (
            f"{gates[0]} gates against {gates[1]}, each with two matrices, are "
            f"{gates[0] / gates[1]:g}; with the biases {layers[0]:,} against "
            f"{layers[1]:,} weights, {layers[0] / layers[1]:.3f}."
        )
        holds = math.isclose(gates[0] / gates[1], share)
        return Part(question, HOLDS if holds else FAILS, numbers)

    return ask


def ask_bar(label: str) -> Ask:
    """Ask whether a network beats the simple model that is best on validation."""
    question = f"`{label}` beats the best simple model"

    def ask(reference: Reference) -> Part:
        row = reference.find_bar(label)
        group = reference.groups.get(label)
        if group is None or row is None:
            return Part(question, NOT_RUN, _list_missing(reference, (label,)))
        if not row["difference"] or row["design"] == "networks":
            return Part(question, UNDECIDED, row["sentence"])
        score = group.runs[0].summary["score"]
        sign = 1 if score["higher_is_better"] else -1
        ends = sorted(sign * float(row[f"corrected_{k}"]) for k in ("low", "high"))
        worth = find_worth(summarise(group)["test_best_mean"], group.runs[0])
        return Part(question, decide(*ends, 0, worth), row["sentence"])

    return ask


def _spread(row: dict) -> str:
    mean, deviation = row["test_best_mean"], row["test_best_sd"]
    return spell(mean) + (f" ± {spell(deviation)}" if deviation is not None else "")


def _list_missing(reference: Reference, labels: Sequence[str]) -> str:
    missing = [f"`{label}`" for label in labels if label not in reference.groups]
    if missing:
        return f"no published runs of {' and '.join(missing)}."
    return "their test predictions were not compared when they were published."


def _measure_load(reference: Reference, label: str) -> float:
    runs = reference.groups[label].runs
    beside = [run.config.get("published", {}).get("beside", 0.0) for run in runs]
    return sum(beside) / len(beside)


def _is_same_machine(groups: Sequence) -> bool:
    """Return whether all runs had the same processor, threads and versions."""
    kinds = [
        (run.config["device"], run.config["versions"])
        for group in groups
        for run in group.runs
    ]
    return all(kind == kinds[0] for kind in kinds)
