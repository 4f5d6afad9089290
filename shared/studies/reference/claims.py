"""Common claims about recurrent networks, checked against the reference runs.

Every claim has parts. Each part checks one experiment or one pair of them. Its outcome
is `HOLDS`, `FAILS`, `UNDECIDED` or `NOT_RUN`. An interval decides, never a mean alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.studies.reference.published import Reference

HOLDS, FAILS = "holds", "does not hold"
UNDECIDED, NOT_RUN = "cannot be decided", "not run"
IN_PART, NOT_ALL_RUN = "holds in part", "not run in full"
CURVES, TESTS, SECONDS = "curves", "tests", "seconds"
PICTURES = {
    CURVES: "Validation curves",
    TESTS: "Test scores with intervals",
    SECONDS: "Seconds per epoch with intervals",
}
"""What the picture of a claim can show -> the same in words."""


@dataclass(frozen=True)
class Part:
    """One check and its outcome.

    Attributes:
        statement: What was checked, in words.
        outcome: `HOLDS`, `FAILS`, `UNDECIDED` or `NOT_RUN`.
        numbers: The numbers behind it.
    """

    statement: str
    outcome: str
    numbers: str


Check = Callable[[Reference], "Part | list[Part]"]


@dataclass(frozen=True)
class Claim:
    """A common sentence that is checked against the reference runs.

    Attributes:
        key: Name of its picture.
        sentence: The claim in the usual words.
        how: How it is checked.
        checks: Its parts; each reads only the reference.
        drawn: Labels of the experiments in its picture.
        pairs: Pairs of experiments whose tests are compared example by example.
        shows: What its picture shows: one of `PICTURES`.
    """

    key: str
    sentence: str
    how: str
    checks: tuple[Check, ...]
    drawn: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = field(default=())
    shows: str = CURVES

    @property
    def picture(self) -> str:
        """Path of its picture in the folder of the reference."""
        return f"claims/{self.key}.png"

    def evaluate(self, reference: Reference) -> tuple[str, list[Part]]:
        """Return the verdict and its parts."""
        parts: list[Part] = []
        for check in self.checks:
            found = check(reference)
            parts += found if isinstance(found, list) else [found]
        return combine([part.outcome for part in parts]), parts


def combine(outcomes: Sequence[str]) -> str:
    """Return the verdict on a claim: it holds if every part holds.

    There is no verdict before all parts are run.
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
    """Return the outcome of an interval: above one bound, below another, or neither."""
    if low > above:
        return HOLDS
    return FAILS if high < below else UNDECIDED


def list_pairs(claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """Return every pair whose tests are compared, without repeats."""
    pairs = (pair for claim in claims for pair in claim.pairs)
    return list(dict.fromkeys(pairs))
