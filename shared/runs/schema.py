"""What the files of a run folder must contain, in the form of today.

The reader checks every file with this module before anything else sees it. Code behind
the reader therefore needs no checks of its own.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from shared.core.errors import UserError
from shared.core.roles import Role
from shared.tasks.kinds import KINDS, read_task
from shared.tasks.task import Classification, StepLabelling, Task

LARGEST = 1e100
"""Scores above it are written as null: their means and squares could overflow."""
Name = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\A[^\n\t]+\Z")]
Text = Annotated[str, Meta(max_length=1_000_000)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Number = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
Amount = Annotated[float, Meta(ge=0, le=LARGEST)]
Value = bool | int | float | Text | list[bool | int | float | Text | None] | None
"""Value of a setting."""
Scores = dict[Name, Number | None]
Row = dict[Name, Number | None]
"""One epoch: a number per column of the history. None stands for NaN and infinity."""


class Facts(msgspec.Struct, frozen=True):
    """Facts about the data; more entries are allowed."""

    is_sample: bool
    test_depends_on_seed: bool
    examples: dict[Name, Count] = {}
    sha256: Annotated[str, Meta(max_length=200)] = ""
    origin: Text = ""


class Code(msgspec.Struct, frozen=True):
    """State of the project's code."""

    commit: Text | None
    changed: bool | None


class Published(msgspec.Struct, frozen=True):
    """How a published run was made; only runs in `results/reference` have it."""

    beside: Amount | UnsetType = UNSET


class Resumed(msgspec.Struct, frozen=True):
    """The runs that a run carries on, the latest first, and after which epoch."""

    parents: Annotated[list[Name], Meta(min_length=1)]
    epoch: Count


class Config(msgspec.Struct, frozen=True):
    """Content of `config.json`."""

    recipe: Name
    data: Name
    seed: Count
    settings: dict[Name, Value]
    roles: dict[Name, Role]
    follows: dict[Name, Text]
    changed: dict[Name, Value]
    data_facts: Facts
    command: Text
    versions: dict[Name, Text]
    device: dict[Name, bool | int | float | Text | list[Text] | None]
    code: Code | None
    jit_compile: bool | UnsetType | None = UNSET
    published: Published | UnsetType = UNSET
    resumed: Resumed | UnsetType = UNSET


class ScoreFacts(msgspec.Struct, frozen=True):
    """The score of a task."""

    metric: Name
    higher_is_better: bool
    unit: Text
    is_share: bool


class TaskFacts(msgspec.Struct, frozen=True):
    """The task. Each kind has some of the optional fields."""

    kind: Literal[tuple(KINDS)]
    score: ScoreFacts
    classes: list[Text] | UnsetType = UNSET
    quantity: Text | UnsetType = UNSET
    ignore: int | UnsetType = UNSET


class Baseline(msgspec.Struct, frozen=True):
    """Scores of a simple model."""

    name: Name
    validation: Scores
    test: Scores
    is_best_achievable: bool


class Test(msgspec.Struct, frozen=True):
    """Test scores with the weights of the best and of the last epoch."""

    best: Scores
    last: Scores


class LeakCheck(msgspec.Struct, frozen=True):
    """Distance from the best achievable score."""

    best_achievable: Number
    difference: Number
    standard_error: Amount | None
    leak: bool | None


class Layer(msgspec.Struct, frozen=True):
    """Size of a recurrent layer."""

    units: Count
    inputs: Count
    parameters: Count


class Summary(msgspec.Struct, frozen=True):
    """Content of `summary.json`."""

    recipe: Name
    data: Name
    seed: Count
    state: Literal["unfinished", "finished", "interrupted", "failed"]
    note: Text
    task: TaskFacts
    epochs: Count
    best: Row | None
    last: Row | None
    test: Test | None
    baselines: list[Baseline]
    leak_check: LeakCheck | None
    parameters: Count
    seconds_per_epoch: Amount | None
    seconds: Amount | None
    peak_memory_mb: Amount | None
    holds: Text
    recurrent_layers: list[Layer] | UnsetType = UNSET


class PlannedKernel(msgspec.Struct, frozen=True):
    """The kernel planned for a layer."""

    description: Text


class RanKernel(msgspec.Struct, frozen=True):
    """The kernel that a layer ran on."""

    path: Name
    xla: bool
    implementation: Count | None


class Kernels(msgspec.Struct, frozen=True):
    """Content of `kernels.json`."""

    planned: list[PlannedKernel]
    ran: list[RanKernel] | None


class ModelFacts(msgspec.Struct, frozen=True):
    """The part of the note inside `best.keras` that readers of runs use."""

    epoch: Count


def check_config(config: dict[str, Any]) -> None:
    """Refuse a `config.json` that is not of the form of today.

    Raises:
        ValueError: With the reason.
    """
    found = _convert(config, Config)
    if found.roles.keys() != found.settings.keys():
        names = sorted(found.roles.keys() ^ found.settings.keys())
        raise ValueError(f"only one of settings and roles has {', '.join(names)}")
    if unknown := sorted(found.changed.keys() - found.settings.keys()):
        raise ValueError(f"changed, but not a setting: {', '.join(unknown)}")
    seeds = [found.settings[k] for k, role in found.roles.items() if role == Role.SEED]
    if seeds != [found.seed]:
        raise ValueError(f"seed {found.seed}, but the settings have {seeds}")


def check_summary(summary: dict[str, Any]) -> None:
    """Refuse a `summary.json` that is not of the form of today.

    Raises:
        ValueError: With the reason.
    """
    found = _convert(summary, Summary)
    score = read_task(summary["task"]).score
    if (
        found.task.kind == "binary_classification"
        and len(found.task.classes or ()) != 2
    ):
        raise ValueError("a task with two classes needs two names of classes")
    for row in (found.best, found.last):
        if row is not None and f"val_{score.metric}" not in row:
            raise ValueError(f"an epoch without val_{score.metric}")
    if found.test is not None:
        for scores in (found.test.best, found.test.last):
            if f"test_{score.metric}" not in scores:
                raise ValueError(f"a test without test_{score.metric}")
    for baseline in found.baselines:
        if baseline.validation.keys() != baseline.test.keys():
            raise ValueError(f"{baseline.name}: other scores in validation and test")
    check = found.leak_check
    if check is not None:
        if not any(baseline.is_best_achievable for baseline in found.baselines):
            raise ValueError("a leak check without a best achievable baseline")
        if (check.leak is None) != (check.standard_error is None):
            raise ValueError("a leak check with half of a verdict")


def check_kernels(record: dict[str, Any]) -> None:
    """Refuse a `kernels.json` that is not of the form of today.

    Raises:
        ValueError: With the reason.
    """
    _convert(record, Kernels)


def check_model_facts(facts: dict[str, Any]) -> None:
    """Refuse a note of `best.keras` that names no epoch.

    Raises:
        ValueError: With the reason.
    """
    _convert(facts, ModelFacts)


def check_history(columns: dict[str, list[str]]) -> dict[str, list[float]]:
    """Return the columns of `history.csv` as numbers, without the name of the data.

    Raises:
        ValueError: If the epochs are not 1, 2, 3 and so on, or a cell is no number.
    """
    missing = {"epoch", "seconds"} - columns.keys()
    if missing:
        raise ValueError(f"no column {', '.join(sorted(missing))}")
    history = {
        name: [_read_cell(name, cell) for cell in cells]
        for name, cells in columns.items()
        if name != "data"
    }
    if history["epoch"] != list(range(1, len(history["epoch"]) + 1)):
        raise ValueError("the epochs are not 1, 2, 3 and so on")
    if not all(0 <= seconds < math.inf for seconds in history["seconds"]):
        raise ValueError("an epoch without its seconds")
    return history


def check_together(
    config: dict[str, Any], summary: dict[str, Any], history: dict[str, list[float]]
) -> None:
    """Refuse files that are well formed but not of one run.

    Args:
        config: Checked.
        summary: Checked, with the epochs of the history where the process died.
        history: Checked; empty before the first epoch.

    Raises:
        ValueError: With the reason.
    """
    for name in ("recipe", "data", "seed"):
        if config[name] != summary[name]:
            raise ValueError(
                f"not of one run: {name} {config[name]} and {summary[name]}"
            )
    epochs = len(history.get("epoch", []))
    if epochs != summary["epochs"]:
        raise ValueError(
            f"{epochs} epochs in the history, {summary['epochs']} in the summary"
        )
    column = f"val_{summary['task']['score']['metric']}"
    if epochs and column not in history:
        raise ValueError(f"the history has no column {column}")
    if epochs and (summary["last"] is None or summary["seconds_per_epoch"] is None):
        raise ValueError("the summary has no last epoch")
    for name in ("best", "last"):
        row = summary[name]
        if row is not None and not _is_row_of(row, history):
            raise ValueError(f"the {name} epoch of the summary is not in the history")
    if summary["test"] is not None and summary["best"] is None:
        raise ValueError("the summary has a test, but no best epoch")


def check_predictions(
    arrays: dict[str, np.ndarray], task: Task, examples: dict[str, int]
) -> None:
    """Refuse predictions that do not fit the task, each other or the data.

    Args:
        arrays: In the form of today: `targets`, `predictions`, `dependence`,
            `baselines` and `baseline_<k>`, maybe `times` and `series`.
        task: Task of the run.
        examples: Number of examples of each part of the data, as the run recorded.

    Raises:
        ValueError: With the reason.
    """
    needed = {"targets", "predictions", "dependence", "baselines"}
    if missing := needed - arrays.keys():
        raise ValueError(f"no array {', '.join(sorted(missing))}")
    names = arrays["baselines"]
    if names.ndim != 1 or (names.size and names.dtype.kind != "U"):
        raise ValueError("the names of the baselines are not a list of texts")
    baselines = [f"baseline_{k}" for k in range(len(names))]
    optional = {"times", "series"}
    if unknown := (needed | optional | set(baselines)) ^ (arrays.keys() | optional):
        raise ValueError(f"an array too many or too few: {', '.join(sorted(unknown))}")
    if len(set(names.tolist())) < len(names):
        raise ValueError("two baselines have one name")
    targets, predictions = arrays["targets"], arrays["predictions"]
    for name in ("targets", "predictions", *baselines):
        array = arrays[name]
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite numbers")
        if name != "targets" and array.shape != predictions.shape:
            raise ValueError(f"{name} has the shape {array.shape}")
    if not targets.ndim or not len(targets):
        raise ValueError("no test example")
    if len(targets) != examples.get("test", len(targets)):
        raise ValueError(
            f"{len(targets):,} test examples, but the data have {examples['test']:,}"
        )
    dependence = arrays["dependence"]
    if dependence.shape or dependence.dtype.kind not in "iu" or dependence < 1:
        raise ValueError("dependence is not a whole number from 1 up")
    _check_times(arrays.get("times"), arrays.get("series"), len(targets))
    _check_classes(targets, predictions, task)
    try:
        task.measure(next(iter(task.measures)), targets, predictions)
    except UserError:
        raise ValueError(
            f"targets {targets.shape} and predictions {predictions.shape} do not fit "
            f"the task {task.kind}"
        ) from None


def _check_times(
    times: np.ndarray | None, series: np.ndarray | None, count: int
) -> None:
    if series is not None and (series.dtype.kind != "U" or series.shape != (count,)):
        raise ValueError("series is not one name per test example")
    if times is None:
        return
    if times.dtype.kind != "M" or times.shape != (count,) or np.isnat(times).any():
        raise ValueError("times is not one time per test example")
    if series is None and (times[1:] < times[:-1]).any():
        raise ValueError("the times are not in order")


def _check_classes(targets: np.ndarray, predictions: np.ndarray, task: Task) -> None:
    """Refuse labels that name no class. NumPy counts negative ones from the end."""
    if not isinstance(task, Classification):
        return
    labels = targets
    if isinstance(task, StepLabelling):
        labels = labels[labels != task.ignore]
    classes = predictions.shape[-1] if predictions.ndim > 1 else 0
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"targets name classes outside 0 to {classes - 1}")


def _is_row_of(row: dict[str, Any], history: dict[str, list[float]]) -> bool:
    """Return whether a row of the summary is that epoch of the history."""
    epoch = row.get("epoch")
    if epoch not in history.get("epoch", []):
        return False
    return all(
        name in history and _is_same(value, history[name][int(epoch) - 1])
        for name, value in row.items()
    )


def _is_same(value: float | None, cell: float) -> bool:
    if value is None or not math.isfinite(cell):
        return value is None and not math.isfinite(cell)
    return math.isclose(value, cell, rel_tol=1e-9)


def _read_cell(name: str, cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(f"column {name} holds {cell[:40]!r}, not a number") from None
    return math.copysign(math.inf, number) if abs(number) > LARGEST else number


def _convert(value: dict[str, Any], form: type) -> Any:
    """Check a value against a form; the message has no marks of msgspec."""
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("`", "").replace("$.", "")) from None
