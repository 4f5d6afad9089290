"""`--from`: the run whose trained weights are the start."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shared.core.errors import UserError
from shared.core.text import shorten
from shared.runs.groups import choose_runs
from shared.runs.reader import MODEL, Run, is_run_folder, read_run
from shared.training.config import TrainingConfig

if TYPE_CHECKING:
    from shared.training.fine_tune import FineTune

Config = TypeVar("Config")
VOCABULARY = "vocabulary.txt"


def find_source(config: Config, root: Path) -> tuple[Config, Run | None]:
    """Return the run that `--from` names, and the config with its full name.

    Args:
        config: Of any recipe.
        root: Folder of all runs.

    Raises:
        UserError: If there is no such run, or it holds no model.
    """
    for field in dataclasses.fields(config):
        training = getattr(config, field.name)
        if isinstance(training, TrainingConfig) and training.from_run is not None:
            run = _find_run(training.from_run, root)
            named = dataclasses.replace(training, from_run=name_run(run))
            return dataclasses.replace(config, **{field.name: named}), run
    return config, None


def _find_run(name: str, root: Path) -> Run:
    below = root / name
    if not is_run_folder(Path(name)) and is_run_folder(below):
        run = read_run(below)
    else:
        run = choose_runs([name], root)[0][-1]
    if not (run.path / MODEL).is_file():
        raise UserError(
            f"--from {shorten(name)}: has no {MODEL}, so no weights to begin with. "
            "Name a run that has trained one epoch at least."
        )
    return run


def name_run(run: Run) -> str:
    """Return recipe and folder of a run, which `--from` takes too."""
    return f"{run.path.parent.name}/{run.path.name}"


def read_weights(run: Run) -> FineTune:
    """Return the trained weights of a run as the start of another one.

    Raises:
        UserError: If the model is damaged, or its tokens are not known.
    """
    from shared.data.text.vocabulary import Vocabulary
    from shared.inference.load_model import load_model
    from shared.training.fine_tune import FineTune, read_source

    vocabulary = None
    parts = [p for p in run.config["data_facts"].values() if isinstance(p, dict)]
    hashes = [p["vocabulary_sha256"] for p in parts if "vocabulary_sha256" in p]
    if hashes:
        try:
            text = (run.path / VOCABULARY).read_text(encoding="utf-8")
            vocabulary = Vocabulary.from_text(text)
        except (OSError, ValueError):
            vocabulary = None
        if vocabulary is None or vocabulary.sha256 != hashes[0]:
            raise UserError(
                f"--from {shorten(str(run.path))}: its {VOCABULARY} is missing or "
                "damaged, so its tokens are not known. Name a run that has finished."
            )
    return FineTune(read_source(name_run(run), load_model(run.path), vocabulary))
