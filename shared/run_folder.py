"""The run folder on disk, and its only writer.

A folder `<root>/<recipe>/<UTC time>-seed<k>/` holds

- `config.json`: every setting, data set, versions, device, commit, command line;
- `history.csv`: one row per epoch, counted from 1;
- `summary.json`: state, best and last epoch, test scores, bars, parameters, time;
- `best.keras`: the model of the best epoch on validation;
- `curves.png`: accuracy and loss.

Every file appears whole or not at all. `summary.json` says `unfinished` from the
first moment until the run ends, so that a folder whose process was killed tells the
truth by itself; a lock that dies with the process tells a live run from a dead one.
"""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
import zipfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from shared.environment import (
    describe_environment,
    peak_memory_mb,
    reset_peak_memory,
)
from shared.files import write_text, write_whole
from shared.metrics import ACCURACY, Score
from shared.runs import RUNS

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from shared.data.splits import Splits

MODEL_FACTS = "rnn-recipes.json"  # inside best.keras: what the model was trained on
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

    def open(
        self,
        splits: Splits,
        bars: list[dict],
        model: keras.Model,
        score: Score = ACCURACY,
    ) -> None:
        """Make the folder and write all that is known before training.

        Args:
            splits: Its name, sizes and facts are recorded.
            bars: One dict per simple model: `name`, and the scores on `validation`
                and `test` in the metrics of the run.
            model: A compiled model; its size and compilation are recorded.
            score: What the run is judged by.
        """
        self.score = score
        self.path = _make_folder(self.root / self.recipe, self.settings["seed"])
        self._lock = FileLock(self.path / ".lock")
        self._lock.acquire()
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
            "bars": bars,
            "parameters": model.count_params(),
            "seconds_per_epoch": None,
            "seconds": None,
            "peak_memory_mb": None,
        }
        self._write_json("config.json", config)
        self._write_summary()
        reset_peak_memory()  # what the bars needed is not the network's

    def write_progress(self, rows: list[Row], best: Row | None) -> None:
        """Write the history so far, and what the folder now holds.

        Args:
            rows: One dict per epoch, all with the same keys, `epoch` first.
            best: The best of them on validation.
        """
        table = io.StringIO()
        writer = csv.DictWriter(table, [*rows[0], "data"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"data": self.summary["data"]} for row in rows)
        write_text(self.path / "history.csv", table.getvalue())
        self.summary |= {
            "epochs": len(rows),
            "best": best,
            "last": rows[-1],
            "seconds_per_epoch": statistics.median(row["seconds"] for row in rows),
        }
        self._write_summary()

    def write_model(self, model: keras.Model) -> None:
        """Write `best.keras`, with a note inside of what it was trained on."""
        facts = {key: self.summary[key] for key in ("recipe", "data", "seed")}
        facts["settings"] = self.settings

        def write(part: Path) -> None:
            model.save(part)
            with zipfile.ZipFile(part, "a") as archive:
                archive.writestr(MODEL_FACTS, json.dumps(facts, indent=1))

        write_whole(self.path / "best.keras", write)

    def write_figure(self, figure: Figure) -> None:
        """Write `curves.png`."""
        write_whole(self.path / "curves.png", lambda part: figure.savefig(part))

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
        (self.path / ".lock").unlink(missing_ok=True)

    def _write_summary(self) -> None:
        summary = self.summary
        holds = f"epochs 1 to {summary['epochs']}" if summary["epochs"] else "no epoch"
        if summary["best"]:
            holds += f", the model of epoch {summary['best']['epoch']}"
        summary["holds"] = holds
        if summary["state"] == "unfinished":
            summary["note"] = (
                f"Written while training. If it trains no more, the run was "
                f"interrupted and holds {holds}."
            )
        self._write_json("summary.json", summary)

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        text = json.dumps(_without_nan(content), indent=1, allow_nan=False)
        write_text(self.path / name, text + "\n")


def _make_folder(parent: Path, seed: int) -> Path:
    """Make a folder that no other run has, even one of the same second."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    for attempt in range(1, 1000):
        ending = f"-{attempt}" if attempt > 1 else ""
        path = parent / f"{stamp}-seed{seed}{ending}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
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
