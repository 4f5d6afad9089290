"""The run folder on disk, and its only writer.

A folder `<root>/<recipe>/<UTC time>-seed<k>/` holds

- `config.json`: every setting, data set, versions, device, commit, command line;
- `history.csv`: one row per epoch, from epoch 1;
- `summary.json`: state, best and last epoch, test scores, baselines, parameters, time;
- `kernels.json`: the kernel planned for each recurrent layer, and the one that ran;
- `best.keras`: the model of the best epoch on validation, with its vocabulary;
- `predictions.npz`: its test predictions, those of the baselines, and the targets;
- `checkpoint.npz`: what `--resume` needs, of the latest epoch that has one;
- `latest.npz`: of a weather record, the last rows, from which a forecast can start;
- `curves.png`: score and loss; forecasts have more pictures.

Every file appears whole or not at all. `summary.json` says `unfinished` from the start
until the run ends, so it stays true if the process is killed. A lock that ends with the
process distinguishes a live run from a dead one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from shared.core.environment import (
    describe_environment,
    peak_memory_mb,
    reset_peak_memory,
)
from shared.core.files import read_umask, to_csv, write_text, write_whole
from shared.core.recipes import hash_recipe
from shared.core.roles import Settings
from shared.runs.epoch_seconds import median_seconds
from shared.runs.model_checks import check_model, list_layer_sizes
from shared.runs.reader import (
    KERNELS,
    LOCK,
    MODEL_FACTS,
    MODEL_TEXTS,
    PREDICTIONS,
    RUNS,
    Run,
    format_content,
)
from shared.runs.removal import OPENING, remove_leftovers
from shared.runs.schema import LARGEST

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from shared.baselines.baseline import Baseline
    from shared.data.splits import Examples, Splits
    from shared.runs.lineage import Start

Row = dict[str, Any]
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
LONGEST_NOTE = 10_000  # characters


class RunFolder:
    """Writes one run. `open` creates its folder."""

    def __init__(
        self,
        recipe: str,
        settings: Settings,
        changed: dict[str, Any],
        command: str,
        root: Path = RUNS,
        start: Start | None = None,
        checkpoint_every: int | None = None,
    ) -> None:
        """Keep what `open` will write.

        Args:
            recipe: Name with dashes, e.g. `imdb-gru`.
            settings: Every flag with its role, including the seed.
            changed: The flags that differ from the recipe's defaults.
            command: The command line that made this run.
            root: Folder of all runs.
            start: Where the training begins; None: at its own first weights.
            checkpoint_every: Epochs from one checkpoint to the next; 0: none; None: as
                often as they take little time.

        The attribute `scores_test` says whether the run scores the test set.
        """
        self.recipe = recipe
        self.settings = settings
        self.changed = changed
        self.command = command
        self.root = root
        self.start = start
        self.checkpoint_every = checkpoint_every
        self.path: Path | None = None
        self.summary: dict[str, Any] = {}
        self.scores_test = True

    @classmethod
    def of_run(cls, run: Run) -> RunFolder:
        """Return the folder of a saved run, for more tables and pictures."""
        config = run.config
        settings = Settings(config["settings"], config["roles"], config["follows"])
        facts = config.get("changed", {}), config.get("command", "")
        folder = cls(run.recipe, settings, *facts, run.path.parent.parent)
        folder.path = run.path
        return folder

    def open(
        self, data: Splits, baselines: Sequence[Baseline], model: keras.Model
    ) -> None:
        """Create the folder and write what is known before the training.

        Args:
            data: The data. Their name, sizes, facts and task are recorded.
            baselines: Simple models and best achievable errors on the same data.
            model: A compiled model. Its size and compilation are recorded.

        Raises:
            UserError: If the model or the targets do not fit the task, or the run that
                this one starts from.
        """
        check_model(model, data)
        if self.start is not None:
            self.start.prepare(data, model)
        self.task = data.task
        self._texts = _describe_texts(data)
        self.baselines = list(baselines)
        identity = {
            "recipe": self.recipe,
            "data": data.data,
            "seed": self.settings.seed,
        }
        sizes = {
            part: len(getattr(data, part)) for part in ("train", "validation", "test")
        }
        facts = data.facts | {
            "examples": sizes,
            "is_sample": data.is_sample,
            "test_depends_on_seed": data.test_depends_on_seed,
        }
        config = identity | {
            "settings": self.settings.values,
            "roles": self.settings.roles,
            "follows": self.settings.follows,
            "changed": self.changed,
            "data_facts": facts,
            "jit_compile": bool(model.jit_compile),
            "command": self.command,
            **(self.start.describe() if self.start else {}),
            "recipe_code": hash_recipe(self.recipe),
            **describe_environment(),
        }
        self.summary = identity | {
            "state": "unfinished",
            "note": "",
            "task": data.task.to_json(),
            "epochs": 0,
            "best": None,
            "last": None,
            "test": None,
            "baselines": [baseline.facts() for baseline in self.baselines],
            "leak_check": None,
            "parameters": model.count_params(),
            "recurrent_layers": list_layer_sizes(model),
            "seconds_per_epoch": None,
            "seconds": None,
            "peak_memory_mb": None,
        }
        self._config = config
        self._appear(config)
        if data.kept:
            self.write_arrays("latest", data.kept)
        reset_peak_memory()  # the memory of the baselines does not count

    def update_settings(self, jit_compile: bool, **values: Any) -> None:
        """Record settings that were decided after the run was opened.

        Args:
            jit_compile: Whether XLA compiles the training step.
            **values: Flags by name.
        """
        self.settings.values |= values
        self._config["jit_compile"] = jit_compile
        self._write_json(self.path / "config.json", self._config)

    def _appear(self, config: dict[str, Any]) -> None:
        """Fill a hidden folder, then rename it, so that it appears complete."""
        parent = self.root / self.recipe
        parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(parent)
        hidden = Path(tempfile.mkdtemp(prefix=OPENING, dir=parent))
        try:
            self._lock = _lock(hidden / LOCK)
            self._write_json(hidden / "config.json", config)
            self._write_json(hidden / "summary.json", self._complete_summary())
            hidden.chmod(0o777 & ~read_umask())
            self.path = _move_to_free_name(hidden, parent, self.settings.seed)
        finally:
            if self.path is None:
                shutil.rmtree(hidden, ignore_errors=True)

    def write_progress(self, rows: list[Row], best: Row | None) -> None:
        """Write the history so far and the summary.

        Args:
            rows: One dict per epoch, all with the same keys, `epoch` first.
            best: The row that is best on validation.
        """
        self.write_table(
            "history", [row | {"data": self.summary["data"]} for row in rows]
        )
        self.summary |= {
            "epochs": len(rows),
            "best": best,
            "last": rows[-1],
            "seconds_per_epoch": median_seconds([row["seconds"] for row in rows]),
        }
        self._write_summary()

    def write_model(
        self, model: keras.Model, epoch: int, restore: dict[str, Any]
    ) -> None:
        """Write `best.keras`, with a note inside that says how it was trained.

        A model of texts also holds its vocabulary and the names of its classes.

        Args:
            model: The model to keep.
            epoch: The epoch after which the weights were taken.
            restore: Settings of its layers that Keras does not save.
        """
        facts = {key: self.summary[key] for key in ("recipe", "data", "seed")}
        facts |= {"epoch": epoch, "settings": self.settings.values}
        facts |= {"restore": restore}

        def write(part: Path) -> None:
            model.save(part)
            with zipfile.ZipFile(part, "a") as archive:
                if self._texts is not None:
                    archive.writestr(MODEL_TEXTS, self._texts)
                facts["sha256"] = {
                    name: hashlib.sha256(archive.read(name)).hexdigest()
                    for name in archive.namelist()
                }
                archive.writestr(MODEL_FACTS, json.dumps(facts, indent=1))

        write_whole(self.path / "best.keras", write)

    def write_predictions(self, test: Examples, predictions: np.ndarray) -> None:
        """Write `predictions.npz`: float32, one row per test example, in their order.

        Args:
            test: Its targets, times (if any) and dependence are saved too.
            predictions: (num_examples, ...), in the form of the task.
        """
        arrays = {"targets": test.targets, "predictions": predictions.astype("float32")}
        arrays["dependence"] = np.array(test.dependence)
        if test.times is not None:
            arrays["times"] = test.times
        kept = [
            baseline for baseline in self.baselines if baseline.predictions is not None
        ]
        arrays["baselines"] = np.array([baseline.name for baseline in kept])
        arrays |= {
            f"baseline_{k}": baseline.predictions for k, baseline in enumerate(kept)
        }

        if test.series is not None:
            arrays["series"] = test.series
        self.write_arrays(Path(PREDICTIONS).stem, arrays)

    def write_arrays(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """Write `<name>.npz`."""

        def write(part: Path) -> None:
            with part.open("wb") as file:
                np.savez_compressed(file, **arrays)

        write_whole(self.path / f"{name}.npz", write)

    def write_kernels(self, record: dict[str, Any]) -> None:
        """Write `kernels.json`: the plan, what ran, and how they differ."""
        self._write_json(self.path / KERNELS, record)

    def write_figure(self, name: str, figure: Figure) -> None:
        """Write `<name>.png`."""
        write_whole(self.path / f"{name}.png", lambda part: figure.savefig(part))

    def write_table(self, name: str, rows: Sequence[Row]) -> None:
        """Write `<name>.csv`; all rows have the same keys."""
        write_text(self.path / f"{name}.csv", to_csv(rows))

    def write_text(self, name: str, text: str) -> None:
        """Write `<name>.txt`."""
        write_text(self.path / f"{name}.txt", text)

    def close(self, state: str, note: str = "", **results: Any) -> None:
        """Write how the run ended. The lock stays, since pictures may follow.

        Args:
            state: `finished`, `interrupted` or `failed`.
            note: The reason in a sentence. A very long one is cut.
            **results: More entries of the summary, such as `test`.
        """
        if self.path is None:
            return
        peak = peak_memory_mb()
        self.summary |= results | {
            "state": state,
            "note": note[:LONGEST_NOTE],
            "peak_memory_mb": None if peak is None else round(peak),
        }
        self._write_summary()

    def release(self) -> None:
        """Release the lock, after the last file. Only then can the run be removed."""
        if self.path is None:
            return
        self._lock.release()
        (self.path / LOCK).unlink(missing_ok=True)

    def _write_summary(self) -> None:
        self._write_json(self.path / "summary.json", self._complete_summary())

    def _complete_summary(self) -> dict[str, Any]:
        """Return the summary with a text that says what the folder holds."""
        summary = self.summary
        best = summary["best"]
        summary["holds"] = format_content(summary["epochs"], best and best["epoch"])
        if summary["state"] == "unfinished":
            summary["note"] = (
                "Written during training. If the training has stopped, the run was "
                f"interrupted and holds {summary['holds']}."
            )
        return _without_nan(summary, LARGEST)

    def _write_json(self, path: Path, content: dict[str, Any]) -> None:
        text = json.dumps(_without_nan(content), indent=1, allow_nan=False)
        write_text(path, text + "\n")


def _describe_texts(data: Splits) -> str | None:
    """Return as JSON what turns texts into the classes of a model; None without texts.

    It has the keys of `describe_reading`, and `classes`.
    """
    reading = data.describe_reading()
    if reading is None:
        return None
    return json.dumps({"classes": data.task.classes} | reading)


def _lock(path: Path) -> FileLock:
    """Return the lock of a run, held unless the file system has no locks."""
    lock = FileLock(path)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        print(
            f"This file system has no locks ({error.strerror}). Until the run ends, "
            "its state is shown as interrupted."
        )
    return lock


def _move_to_free_name(folder: Path, parent: Path, seed: int) -> Path:
    """Rename a folder to a free name; two runs may start in the same second."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    for attempt in range(1, 1000):
        ending = f"-{attempt}" if attempt > 1 else ""
        path = parent / f"{stamp}-seed{seed}{ending}"
        try:
            folder.rename(path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            continue
        return path
    raise FileExistsError(path)


def _without_nan(value: Any, largest: float = sys.float_info.max) -> Any:
    """Return the value with None for NaN, infinity and numbers that are too large."""
    if isinstance(value, dict):
        return {key: _without_nan(item, largest) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item, largest) for item in value]
    if isinstance(value, float) and not abs(value) <= largest:
        return None
    return value
