"""Run folders of version 0.1, brought to the form of today while they are read.

Version 0.1 recorded neither roles nor a task and had other names for some fields. The
tables here describe what that version wrote, so they never change.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from shared.core.renamed import use_new_names
from shared.core.roles import Role
from shared.tasks.score import Score
from shared.tasks.task import (
    BinaryClassification,
    Classification,
    NextToken,
    Regression,
    Task,
)

OLD_ROLES = {
    Role.DATA: (
        "vocabulary length keep lookback sampling delay target calendar max_gap "
        "skip_columns frequency time_step noise points order source_seed "
        "concentration steps features task lag symbols delays"
    ),
    Role.SPLIT: (
        "validation_share train_share stride phase train_points validation_points "
        "test_points train_vowels validation_vowels test_vowels train_windows "
        "validation_windows test_windows train_sequences validation_sequences "
        "test_sequences"
    ),
    Role.SOURCE: "data data_dir limit",
    Role.TRAINING: (
        "batching embedding_gradient optimizer learning_rate batch_size epochs "
        "patience schedule global_clipnorm stop_at adversarial_epsilon dropout "
        "recurrent_dropout output_dropout kernel_regularizer recurrent_regularizer "
        "bias_regularizer activity_regularizer kernel_constraint "
        "recurrent_constraint bias_constraint"
    ),
    Role.KERNEL: "kernel implementation cudnn jit unroll",
    Role.COMPUTATION: "steps_per_execution",
    Role.SEED: "seed",
}
"""Role -> flags of version 0.1 with that role, by their names of today. Every other
flag of that version describes the model."""
ROLE_OF = {name: role for role, names in OLD_ROLES.items() for name in names.split()}
MOST_SYMBOLS = 100_000
WEEK = np.timedelta64(7, "D")
"""Weather is alike for six days, and the forecast reaches one day ahead."""


def upgrade(
    config: dict[str, Any], summary: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return `config.json` and `summary.json` of version 0.1 in the form of today.

    Raises:
        ValueError: If they are not of that version either.
    """
    try:
        config = upgrade_config(config)
        return config, upgrade_summary(summary, config)
    except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"neither of this version nor of 0.1 ({error!r})") from None


def upgrade_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `config.json` in the form of today."""
    if "roles" in config:
        return config
    settings = use_new_names(config["settings"])
    roles = {name: str(ROLE_OF.get(name, Role.MODEL)) for name in settings}
    facts = dict(config.get("data_facts", {}))
    limited = settings.get("limit") is not None
    facts.setdefault("test_depends_on_seed", limited and "vocabulary" in settings)
    facts.setdefault("is_sample", "sample" in config.get("data", ""))
    return config | {
        "settings": settings,
        "changed": use_new_names(config.get("changed", {})),
        "roles": roles,
        "follows": {"mask": "batching"} if "batching" in settings else {},
        "data_facts": facts,
    }


def upgrade_summary(summary: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `summary.json` in the form of today.

    Args:
        summary: As it was read.
        config: In the form of today.
    """
    if "task" in summary:
        return summary
    baselines = [
        {"is_best_achievable" if k == "is_floor" else k: v for k, v in one.items()}
        for one in summary.get("bars", [])
    ]
    check = summary.get("floor_check")
    if check is not None:
        check = {"best_achievable" if k == "floor" else k: v for k, v in check.items()}
    rest = {k: v for k, v in summary.items() if k not in ("bars", "floor_check")}
    upgraded = rest | {
        "task": _guess_task(summary["score"], config["settings"]).to_json(),
        "baselines": baselines,
        "leak_check": check,
    }
    if layer := _count_layer(summary, config["settings"]):
        upgraded["recurrent_layers"] = [layer]
    return upgraded


def upgrade_predictions(
    arrays: dict[str, np.ndarray], config: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Return the arrays of `predictions.npz` in the form of today.

    Args:
        arrays: As they were read.
        config: In the form of today.

    Raises:
        ValueError: If they are not of version 0.1 either.
    """
    try:
        return _rename_arrays(arrays, config)
    except (LookupError, TypeError, ArithmeticError) as error:
        raise ValueError(f"neither of this version nor of 0.1 ({error!r})") from None


def _rename_arrays(
    arrays: dict[str, np.ndarray], config: dict[str, Any]
) -> dict[str, np.ndarray]:
    if "bars" in arrays:
        arrays = dict(arrays)
        arrays["baselines"] = arrays.pop("bars")
        for k in range(len(arrays["baselines"])):
            arrays[f"baseline_{k}"] = arrays.pop(f"bar_{k}")
    if "dependence" not in arrays:
        settings = config["settings"]
        dependence = settings.get("lookback", 0) + settings.get("delay", 1)
        if "times" in arrays:
            dependence = math.ceil(WEEK / np.median(np.diff(arrays["times"])))
        arrays = arrays | {"dependence": np.array(dependence)}
    return arrays


def upgrade_kernels(record: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `kernels.json` in the form of today."""
    names = {"obstacles": "cudnn_blockers", "hindrances": "unsupported_options",
             "asked": "requested", "told": "description"}  # fmt: skip
    planned = record.get("planned")
    if not isinstance(planned, list) or not all(isinstance(p, dict) for p in planned):
        return record
    planned = [
        {names.get(name, name): value for name, value in layer.items()}
        for layer in planned
    ]
    return record | {"planned": planned}


def upgrade_model_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the note inside `best.keras` in the form of today.

    `restore` holds what Keras does not save of each layer. Version 0.1 had the same
    settings for all layers.
    """
    if "restore" in facts:
        return facts
    settings = facts["settings"]
    layer = {
        name: settings[name] for name in ("implementation", "cudnn") if name in settings
    }
    return facts | {
        "restore": {
            "every_layer": layer or None,
            "kernel": settings.get("kernel"),
            "jit": settings.get("jit", "auto"),
            "dense_gradient": settings.get("embedding_gradient") == "dense",
        }
    }


def _guess_task(score: dict[str, Any], settings: dict[str, Any]) -> Task:
    """Return the task that a recipe of version 0.1 had."""
    task_score = Score.from_json(score)
    if task_score.metric == "cross_entropy":
        return NextToken(task_score, classes=tuple("aeiou"))
    if task_score.metric == "accuracy" and settings.get("task") == "recall":
        if settings["symbols"] > MOST_SYMBOLS:
            raise ValueError(f"{settings['symbols']} symbols")
        return Classification(task_score, tuple(map(str, range(settings["symbols"]))))
    if task_score.metric == "accuracy":
        return BinaryClassification(task_score, ("negative", "positive"))
    return Regression(task_score, str(settings.get("target", "")))


def _count_layer(
    summary: dict[str, Any], settings: dict[str, Any]
) -> dict[str, int] | None:
    """Return the size of the one recurrent layer of a plain IMDB network."""
    names = ("units", "embedding_size", "vocabulary")
    units, inputs, vocabulary = sizes = [settings.get(name) for name in names]
    if not all(isinstance(n, int) for n in (*sizes, summary.get("parameters"))):
        return None
    weights = summary["parameters"] - vocabulary * inputs - (units + 1)
    return {"units": units, "inputs": inputs, "parameters": weights}
