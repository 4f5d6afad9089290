"""The published verdicts on published runs, which hold no predictions themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared.compare.differences import find_differences
from shared.compare.published_verdicts import read_verdicts
from shared.compare.verdicts import Verdict
from shared.core.errors import UserError
from shared.runs.cost import score_run
from shared.runs.decode import DamagedError, name_file, read_table
from shared.runs.groups import Group

OWN = "own"  # the source of the user's runs
REFERENCE = "reference"  # the source of published runs
MARK = f" ({REFERENCE})"  # ends their labels
OLDER = "-verdicts.csv"  # ends the names of further tables of verdicts
RUNS = "-runs.csv"  # the table of the runs beside each

Row = Mapping[str, str]
Scores = dict[int, float]  # seed -> test score


@dataclass(frozen=True)
class Published:
    """A published difference with its corrected interval."""

    low: float
    high: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return the corrected interval, whatever the level."""
        return self.low, self.high


class PublishedVerdicts:
    """All tables of verdicts in the folder of the published runs.

    The labels of `verdicts.csv` are those of the published runs. Those of an older
    table may be of other defaults. So its groups are found by their runs: the test
    score of every seed must be the same.

    Args:
        folder: Folder of the published runs and their verdicts; None without one.

    Attributes:
        problems: A sentence for each table that cannot be used.
    """

    def __init__(self, folder: Path | None) -> None:
        self.problems: list[str] = []
        self._rows: list[dict[str, str]] = []
        self._older: list[tuple[list[dict[str, str]], dict[str, Scores]]] = []
        if folder is None:
            return
        try:
            self._rows = read_verdicts(folder)
        except UserError as error:
            self.problems.append(f"Not used: {error}")
        for path in sorted(folder.glob(f"*{OLDER}")):
            runs = path.with_name(path.name.removesuffix(OLDER) + RUNS)
            try:
                self._older.append((read_verdicts(folder, path.name), _read_runs(runs)))
            except (UserError, DamagedError) as error:
                self.problems.append(f"Not used: {error}")

    def list_verdicts(self, groups: Mapping[str, Group]) -> list[Verdict]:
        """Return the published verdicts on these groups, one for each pair.

        Args:
            groups: Published label -> group as it is named on the page, all on one
                data set.
        """
        found: dict[frozenset[str], Verdict] = {}
        for rows, known in self._list_tables(groups):
            for row in rows:
                verdict = _make_verdict(row, known)
                if verdict is not None:
                    pair = frozenset((verdict.first, verdict.second))
                    found.setdefault(pair, verdict)
        return list(found.values())

    def _list_tables(
        self, groups: Mapping[str, Group]
    ) -> Iterator[tuple[Sequence[Row], Mapping[str, Group]]]:
        """Yield the rows of each table and what its labels mean; the newest first."""
        yield self._rows, groups
        for rows, tested in self._older:
            known = {}
            for label, scores in tested.items():
                same = [g for g in groups.values() if _has_scores(g, scores)]
                if len(same) == 1:
                    known[label] = same[0]
            yield rows, known


def _make_verdict(row: Row, groups: Mapping[str, Group]) -> Verdict | None:
    """Return the verdict of a row; None if one of its groups is not shown."""
    first, second = groups.get(row["first"]), groups.get(row["second"])
    is_baseline = row["second_is_baseline"] == "True"
    if first is None or (second is None and not is_baseline):
        return None
    if row["data"] != first.runs[0].data:
        return None
    names = {row["first"]: first.label}
    differs: tuple[str, ...] = ()
    if second is not None:
        names[row["second"]] = second.label
        differs = tuple(find_differences(first, second).describe())
    verdict = Verdict(
        first.data,
        first.label,
        row["second"] if second is None else second.label,
        is_baseline,
        rename(row["sentence"], names),
        differs=differs,
    )
    if not row["corrected_low"]:
        return verdict
    return replace(
        verdict,
        difference=Published(float(row["corrected_low"]), float(row["corrected_high"])),
        corrected=float(row["corrected_p"]),
    )


def rename(sentence: str, names: Mapping[str, str]) -> str:
    """Return a sentence with other names for some labels.

    A label counts only as a whole: `imdb-gru` is not found in `imdb-gru-dropout`.

    Args:
        sentence: A sentence of a verdict.
        names: Label -> name.
    """
    longest_first = sorted(filter(None, names), key=len, reverse=True)
    if not longest_first:
        return sentence
    labels = "|".join(map(re.escape, longest_first))
    pattern = rf"(?<![\w-])(?:{labels})(?![\w-])"
    return re.sub(pattern, lambda found: names[found[0]], sentence)


def _has_scores(group: Group, scores: Scores) -> bool:
    """Return whether the runs of a group have exactly these test scores."""
    own = {run.seed: score_run(run) for run in group.runs}
    return own.keys() == scores.keys() and all(
        value is not None and math.isclose(value, scores[seed], rel_tol=1e-9)
        for seed, value in own.items()
    )


def _read_runs(path: Path) -> dict[str, Scores]:
    """Return label -> test scores from a table of runs.

    Raises:
        DamagedError: If it cannot be used, with the reason.
    """
    columns = read_table(path)
    found: dict[str, Scores] = {}
    with name_file(path.name):
        if missing := {"run", "seed", "test_best"} - set(columns):
            raise ValueError(f"no column {', '.join(sorted(missing))}")
        cells = (columns["run"], columns["seed"], columns["test_best"])
        for label, seed, score in zip(*cells, strict=True):
            found.setdefault(label, {})[int(seed)] = float(score or "nan")
    return found
