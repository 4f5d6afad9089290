"""`--resume`: the settings of a run, and the checkpoint from which it is carried on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from shared.compare.differences import is_same_code
from shared.core.environment import list_versions, read_commit
from shared.core.errors import UserError, format_flag, format_value
from shared.core.roles import SAME_TRAINING, Flag, list_flags, read_settings
from shared.core.text import shorten
from shared.inference.rebuild import restore_config
from shared.runs.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint
from shared.runs.decode import DamagedError
from shared.runs.lineage import list_parents
from shared.runs.reader import Run, read_run
from shared.training.config import TrainingConfig
from shared.training.ending import find_end
from shared.training.resume import Resume, list_rows

Config = TypeVar("Config")
MOVING_VERSIONS = ("keras", "tensorflow")


def read_parent(recipe: str, path: Path) -> tuple[Run, Checkpoint]:
    """Read the run that is carried on.

    Args:
        recipe: The recipe that is running.
        path: Folder of the run.

    Raises:
        UserError: If the run cannot be carried on by this recipe, these versions and
            this code.
    """
    run = read_run(path)
    who = f"--resume {shorten(str(path))}"
    if run.recipe != recipe:
        raise UserError(
            f"{who}: is a run of {run.recipe}. Carry it on with make {run.recipe}, or "
            f"name a run of {recipe}."
        )
    if run.state == "running":
        raise UserError(f"{who}: is still running. Stop it first, or wait for its end.")
    versions = list_versions()
    for name in MOVING_VERSIONS:
        before, now = run.config["versions"].get(name), versions.get(name)
        if before != now:
            raise UserError(
                f"{who}: was trained with {name} {before}, and {now} is installed. "
                f"Install {name}=={before}, or begin with the weights: --from."
            )
    if not (path / CHECKPOINT).exists():
        parents = list_parents(run)
        other = f"resume {parents[0]}" if parents else "train it again"
        raise UserError(
            f"{who}: has no {CHECKPOINT}: it ended before its first one, or is older "
            f"than this flag, or was trained with --checkpoint-every 0. So {other}, or "
            "begin with its weights: --from."
        )
    try:
        checkpoint = read_checkpoint(path)
        _check_epochs(run, checkpoint)
    except DamagedError as error:
        raise UserError(
            f"{who}: cannot be carried on ({error}). Train it again, or begin with its "
            "weights: --from."
        ) from None
    return run, checkpoint


def _check_epochs(run: Run, checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint of another history."""
    facts, known = checkpoint.facts, len(run.history.get("epoch", []))
    kept = bool(checkpoint.arrays["best"])
    if facts.epoch > known or (facts.best_epoch or 0) > facts.epoch:
        raise DamagedError(
            f"{CHECKPOINT} is of epoch {facts.epoch}, and the history has {known}"
        )
    if kept != (facts.best_epoch not in (None, facts.epoch)):
        raise DamagedError(f"{CHECKPOINT} does not fit its best epoch")


def carry_on(
    recipe: str, path: Path, default: Config, parse: Callable[[Config], Config]
) -> tuple[Config, Resume]:
    """Return the config of a run with the changes on the command line, and its state.

    Args:
        recipe: The recipe that is running.
        path: Folder of the run.
        default: The recipe's config at its defaults.
        parse: Returns a config from the command line, given the values of the flags
            that were not typed.

    Raises:
        UserError: If the run cannot be carried on.
    """
    parent, checkpoint = read_parent(recipe, path)
    try:
        config, missing = restore_config(default, parent.settings)
    except UserError as error:
        raise UserError(f"{shorten(str(parent.path))}: {error}") from None
    if missing:
        flags = ", ".join(format_value(name, value) for name, value in missing.items())
        print(f"The run is older than some flags. Their defaults are used: {flags}.")
    _compare_code(parent)
    return parse(config), Resume(parent, checkpoint)


def _compare_code(run: Run) -> None:
    """Print a line if the code has changed since a run."""
    before, now = (
        (code or {}).get("commit") for code in (run.config["code"], read_commit())
    )
    if before and now and before != now and not is_same_code(before, now):
        print(
            f"The code has changed since that run (commits {before[:7]} and {now[:7]}),"
            " so the numbers may not be those of a run that never stopped."
        )


def check_settings(config: Any, start: Resume) -> None:
    """Refuse settings that the parent does not have, and a training without an epoch.

    Args:
        config: Resolved.
        start: From `carry_on`.

    Raises:
        UserError: With the flag and how to fix it.
    """
    parent = start.parent
    for flag in list_flags(config):
        before = parent.settings.get(flag.name, flag.value)
        if _to_json(flag.value) == before or _may_differ(flag):
            continue
        free = [format_flag(one.name) for one in list_flags(config) if _may_differ(one)]
        raise UserError(
            f"{format_value(flag.name, flag.value)}: the run has "
            f"{format_value(flag.name, before)}, and --resume keeps its settings. Omit "
            f"the flag, or begin with its weights: --from. May change: "
            f"{', '.join(free)}."
        )
    for field in dataclasses.fields(config):
        training = getattr(config, field.name)
        if isinstance(training, TrainingConfig):
            _check_length(training, start)


def list_resumed_changes(config: Any, default: Any, parent: Run) -> dict[str, Any]:
    """Return the flags that a resumed run has changed, as one that never stopped.

    Args:
        config: Resolved.
        default: The recipe's config at its defaults.
        parent: The run that is carried on.
    """
    values, usual = read_settings(config).values, read_settings(default).values
    changed = dict(parent.config["changed"])
    for name, value in values.items():
        if _to_json(value) != parent.settings.get(name, _to_json(value)):
            changed[name] = value
            if value == usual[name]:
                del changed[name]
    return {name: value for name, value in changed.items() if name in values}


def _check_length(training: TrainingConfig, start: Resume) -> None:
    """Refuse a number of epochs that leaves nothing to train, or moves the others."""
    parent, epoch = start.parent, start.epoch
    planned = parent.settings.get("epochs", training.epochs)
    if training.plans_epochs and training.epochs != planned:
        raise UserError(
            f"--epochs {training.epochs}: --schedule {training.schedule} was planned "
            f"for {planned} epochs, and each of them depends on that. Omit --epochs, "
            "or begin a new training with these weights: --from."
        )
    if training.epochs <= epoch:
        raise UserError(
            f"--epochs {training.epochs}: the checkpoint is of epoch {epoch}, so no "
            f"epoch is left. Pass a larger number, e.g. --epochs {2 * epoch}."
            if not training.plans_epochs
            else f"{shorten(str(parent.path))}: has all {epoch} epochs that --schedule "
            f"{training.schedule} was planned for. Begin a new training with its "
            "weights: --from."
        )
    rows, facts = list_rows(parent, epoch), start.checkpoint.facts
    best = facts.best_epoch
    reason = find_end(
        rows,
        rows[best - 1] if best else None,
        parent.score,
        training.patience,
        training.stop_at,
        max((kept.get("latest_gain", 0) for kept in facts.callbacks), default=0),
    )
    if reason:
        raise UserError(
            f"{shorten(str(parent.path))}: ended at epoch {epoch}: {reason} Pass "
            "another --patience or --stop-at, or begin with its weights: --from."
        )


def _may_differ(flag: Flag) -> bool:
    return flag.role in SAME_TRAINING or flag.ends_training


def _to_json(value: Any) -> Any:
    """Return a value as `config.json` gives it back."""
    plain = str(value) if isinstance(value, Path) else value
    return json.loads(json.dumps(plain))
