"""The run folder on disk, and its only writer.

A folder `<root>/<recipe>/<UTC time>-seed<k>/` holds

- `config.json`: every setting, data set, versions, device, commit, command line;
- `history.csv`: one row per epoch, counted from 1;
- `summary.json`: state, best and last epoch, test scores, bars, parameters, time;
- `kernels.json`: what each recurrent layer was planned to run on, and what it ran on;
- `best.keras`: the model of the best epoch on validation;
- `predictions.npz`: its test predictions, the targets, and those of the bars;
- `curves.png`: score and loss; forecasts have more pictures.

Every file appears whole or not at all. `summary.json` says `unfinished` from the
first moment until the run ends, so that a folder whose process was killed tells the
truth by itself; a lock that dies with the process tells a live run from a dead one.
"""

from __future__ import annotations

import errno
import json
import math
import shutil
import statistics
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from shared.environment import (
    describe_environment,
    peak_memory_mb,
    reset_peak_memory,
)
from shared.files import read_umask, to_csv, write_text, write_whole
from shared.metrics import ACCURACY, Score
from shared.runs import (
    KERNELS,
    LOCK,
    MODEL_FACTS,
    PREDICTIONS,
    RUNS,
    Run,
    spell_content,
)

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from shared.baselines.bars import Bar
    from shared.data.splits import Examples, Splits

Row = dict[str, Any]


class RunFolder:
    """Writes one run. Nothing is on disk before `open`."""

    def __init__(
        self,
        recipe: str,
        settings: dict[str, Any],
        changed: dict[str, Any],
        command: str,
        root: Path = RUNS,
    ) -> None:
        """Remember what `open` will write.

        Args:
            recipe: Name with dashes, e.g. `imdb-gru`.
            settings: Every flag by name, JSON-ready, `seed` among them.
            changed: Those of them that differ from the recipe's defaults.
            command: The command line that made this run.
            root: Folder of all runs.
        """
        self.recipe = recipe
        self.settings = settings
        self.changed = changed
        self.command = command
        self.root = root
        self.path: Path | None = None
        self.summary: dict[str, Any] = {}

    @classmethod
    def of_run(cls, run: Run) -> RunFolder:
        """Return the folder of a saved run, to add tables and pictures to it."""
        config = run.config
        told = config["settings"], config.get("changed", {}), config.get("command", "")
        folder = cls(run.recipe, *told, run.path.parent.parent)
        folder.path = run.path
        return folder

    def open(
        self,
        splits: Splits,
        bars: list[Bar],
        model: keras.Model,
        score: Score = ACCURACY,
    ) -> None:
        """Make the folder and write all that is known before training.

        Args:
            splits: Its name, sizes and facts are recorded.
            bars: Simple models and floors, with scores in the metrics of the run.
            model: A compiled model; its size and compilation are recorded.
            score: What the run is judged by.
        """
        self.score = score
        self.bars = bars
        identity = {
            "recipe": self.recipe,
            "data": splits.data,
            "seed": self.settings["seed"],
        }
        sizes = {
            part: len(getattr(splits, part)) for part in ("train", "validation", "test")
        }
        config = identity | {
            "settings": self.settings,
            "changed": self.changed,
            "data_facts": splits.facts | {"examples": sizes},
            "jit_compile": bool(model.jit_compile),
            "command": self.command,
            **describe_environment(),
        }
        self.summary = identity | {
            "state": "unfinished",
            "note": "",
            "score": asdict(score),
            "epochs": 0,
            "best": None,
            "last": None,
            "test": None,
            "bars": [bar.facts() for bar in bars],
            "floor_check": None,
            "parameters": model.count_params(),
            "seconds_per_epoch": None,
            "seconds": None,
            "peak_memory_mb": None,
        }
        self._config = config
        self._appear(config)
        reset_peak_memory()  # what the bars needed is not the network's

    def settle(self, **settings: Any) -> None:
        """Write down settings that were decided only after the run was opened."""
        self.settings |= settings
        self._config["jit_compile"] = self.settings.get("jit") == "on"
        self._write_json(self.path / "config.json", self._config)

    def _appear(self, config: dict[str, Any]) -> None:
        """Fill a hidden folder and move it to its name, so that it appears whole."""
        parent = self.root / self.recipe
        parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=".opening-", dir=parent))
        try:
            self._lock = FileLock(hidden / LOCK)
            self._lock.acquire()
            self._write_json(hidden / "config.json", config)
            self._write_json(hidden / "summary.json", self._complete_summary())
            hidden.chmod(0o777 & ~read_umask())
            self.path = _move_to_free_name(hidden, parent, self.settings["seed"])
        finally:
            if self.path is None:
                shutil.rmtree(hidden, ignore_errors=True)

    def write_progress(self, rows: list[Row], best: Row | None) -> None:
        """Write the history so far, and what the folder now holds.

        Args:
            rows: One dict per epoch, all with the same keys, `epoch` first.
            best: The best of them on validation.
        """
        self.write_table(
            "history", [row | {"data": self.summary["data"]} for row in rows]
        )
        self.summary |= {
            "epochs": len(rows),
            "best": best,
            "last": rows[-1],
            "seconds_per_epoch": statistics.median(row["seconds"] for row in rows),
        }
        self._write_summary()

    def write_model(self, model: keras.Model, epoch: int) -> None:
        """Write `best.keras`, with a note inside of what it was trained on.

        Args:
            model: The model to keep.
            epoch: After which epoch it stands as it is.
        """
        facts = {key: self.summary[key] for key in ("recipe", "data", "seed")}
        facts |= {"epoch": epoch, "settings": self.settings}

        def write(part: Path) -> None:
            model.save(part)
            with zipfile.ZipFile(part, "a") as archive:
                archive.writestr(MODEL_FACTS, json.dumps(facts, indent=1))

        write_whole(self.path / "best.keras", write)

    def write_predictions(self, test: Examples, predictions: np.ndarray) -> None:
        """Write `predictions.npz`: float32, one row per test example, in their order.

        Args:
            test: Its targets, times where it has some, and dependence are kept beside.
            predictions: (num_examples,) or (num_examples, num_classes).
        """
        arrays = {"targets": test.targets, "predictions": predictions.astype("float32")}
        arrays["dependence"] = np.array(test.dependence)
        if test.times is not None:
            arrays["times"] = test.times
        kept = [bar for bar in self.bars if bar.predictions is not None]
        arrays["bars"] = np.array([bar.name for bar in kept])
        arrays |= {f"bar_{k}": bar.predictions for k, bar in enumerate(kept)}

        def write(part: Path) -> None:
            with part.open("wb") as file:
                np.savez_compressed(file, **arrays)

        write_whole(self.path / PREDICTIONS, write)

    def write_kernels(self, record: dict[str, Any]) -> None:
        """Write `kernels.json`: what was planned, what ran, and how they differ."""
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
        """Write how the run ended; it is not live any more.

        Args:
            state: `finished`, `interrupted` or `failed`.
            note: Why, in a sentence.
            **results: More for the summary, such as `test`.
        """
        if self.path is None:
            return
        self.summary |= results | {
            "state": state,
            "note": note,
            "peak_memory_mb": round(peak_memory_mb()),
        }
        self._write_summary()
        self._lock.release()
        (self.path / LOCK).unlink(missing_ok=True)

    def _write_summary(self) -> None:
        self._write_json(self.path / "summary.json", self._complete_summary())

    def _complete_summary(self) -> dict[str, Any]:
        """Return the summary with what the folder holds, in words."""
        summary = self.summary
        best = summary["best"]
        summary["holds"] = spell_content(summary["epochs"], best and best["epoch"])
        if summary["state"] == "unfinished":
            summary["note"] = (
                "Written while training. If it trains no more, the run was interrupted "
                f"and holds {summary['holds']}."
            )
        return summary

    def _write_json(self, path: Path, content: dict[str, Any]) -> None:
        text = json.dumps(_without_nan(content), indent=1, allow_nan=False)
        write_text(path, text + "\n")


def _move_to_free_name(folder: Path, parent: Path, seed: int) -> Path:
    """Rename a folder to a name that no other run has, even one of the same second."""
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


def _without_nan(value: Any) -> Any:
    """Return the value with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
