"""The run folder on disk: its only writer, and its reader.

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
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from shared.environment import (
    PROJECT,
    describe_environment,
    peak_memory_mb,
    reset_peak_memory,
)
from shared.files import write_text, write_whole
from shared.metrics import ACCURACY, Score

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from shared.data.splits import Splits

RUNS = PROJECT / "results" / "runs"
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


@dataclass(frozen=True)
class Run:
    """A run as read from its folder.

    Attributes:
        path: The folder.
        config: Content of `config.json`.
        summary: Content of `summary.json`.
        history: Column name -> one float per epoch; empty before the first.
        state: `finished`, `running`, `interrupted` or `failed`.
    """

    path: Path
    config: dict[str, Any]
    summary: dict[str, Any]
    history: dict[str, list[float]]
    state: str

    @property
    def recipe(self) -> str:
        """Name of the recipe, with dashes."""
        return self.summary["recipe"]

    @property
    def data(self) -> str:
        """Name of the data set; different names are never mixed."""
        return self.summary["data"]

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.summary["seed"]


def read_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        ValueError: If it is no run folder, or one that was damaged later.
    """
    try:
        config = _read_json(path / "config.json")
        summary = _read_json(path / "summary.json")
        state = summary["state"]
        if state == "unfinished":
            state = "running" if _is_locked(path / ".lock") else "interrupted"
        if state == "interrupted":  # unless it ended between the last two looks
            summary = _read_json(path / "summary.json")
            state = state if summary["state"] == "unfinished" else summary["state"]
        history = _read_history(path / "history.csv")
        if not {"recipe", "data", "seed", "settings"} <= config.keys() | summary.keys():
            raise ValueError("it lacks recipe, data or settings")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path}: not a run folder ({error})") from None
    return Run(path, config, summary, history, state)


def find_runs(root: Path = RUNS, recipe: str | None = None) -> list[Run]:
    """Return every readable run below a root, oldest first.

    Args:
        root: Folder of all runs.
        recipe: Only this one; None means all.
    """
    pattern = f"{recipe or '*'}/*/summary.json"
    runs = []
    for summary in sorted(root.glob(pattern)):
        try:
            runs.append(read_run(summary.parent))
        except ValueError:
            continue  # a folder being made or taken away just now
    return runs


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


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_history(path: Path) -> dict[str, list[float]]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in (rows[0] if rows else {}) if name != "data"]
    return {name: [float(row[name]) for row in rows] for name in names}


def _is_locked(path: Path) -> bool:
    """Return whether a live process holds the lock; never makes the file."""
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _without_nan(value: Any) -> Any:
    """Return the value with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
