"""Recipes trained through their real entry point, on small data in the real format."""

import contextlib
import dataclasses
import importlib
import io
import json
import tempfile
from pathlib import Path

import pytest

from shared.commands.recipe import main
from shared.core.recipes import list_recipes
from shared.runs.reader import Run, find_runs
from tests.data.test_weather import FILE, make_rows, write
from tests.helpers import make_reviews, write_npz

PUBLISHED = [
    name.replace("-", "_") for name, info in list_recipes().items() if info.reference
]
# Five distinct odd sizes, so that a swapped axis fails.
SMALL_REVIEWS = ["--units", "3", "--embedding-size", "5", "--length", "7",
                 "--vocabulary", "31"]  # fmt: skip
TWO_EPOCHS = ("--epochs", "2")
"""Flags of the runs with stored losses. Other tests read the same runs."""
FEWER = {"imdb_best": ["--ensemble-size", "1", "--bigrams", "50"]}

SINE = ["--points", "300", "--train-points", "90", "--validation-points", "70",
        "--test-points", "60"]  # fmt: skip
SMALL_WEATHER = ["--lookback", "21", "--sampling", "2", "--delay", "5"]
SMALL_MEMORY = ["--lag", "7", "--train-sequences", "90", "--test-sequences", "30"]
SMALL_TABLE = ["--limit", "300", "--horizon", "3", "--lookback", "7", "--season", "5"]
SMALL_SERIES = {
    "series_linear": SMALL_TABLE,
    "series_gru": SMALL_TABLE,
    "series_lstm": SMALL_TABLE,
    "series_encoder_decoder_gru": SMALL_TABLE,
    "series_best": [*SMALL_TABLE, "--ensemble-size", "2", "--segment", "2"],
    "sine_gru": [*SINE, "--lookback", "5", "--frequency", "9.167"],
    "sine_next_step_gru": SINE,
    "scratch_gru": SINE,
    "vowel_gru": ["--train-vowels", "300", "--validation-vowels", "70",
                  "--test-vowels", "200", "--lookback", "4"],
    "sum_gru": ["--train-windows", "90", "--validation-windows", "20",
                "--test-windows", "30", "--steps", "4", "--features", "2"],
    "memory_gru": SMALL_MEMORY,
    "memory_lstm": SMALL_MEMORY,
    "memory_simple_rnn": SMALL_MEMORY,
    "weather_best": [*SMALL_WEATHER, "--ensemble-size", "2"],
}  # fmt: skip


def load(recipe):
    return importlib.import_module(f"recipes.{recipe}")


def train_reviews(recipe, folder, *flags):
    """Run the main of a review recipe on small reviews; return its run."""
    if not (folder / "imdb.npz").exists():
        write_npz(folder / "imdb.npz", make_reviews(100))
    sizes = [*SMALL_REVIEWS, *FEWER.get(recipe, [])]
    if "sample" not in flags:  # the generated reviews are in no folder
        sizes += ["--data-dir", str(folder)]
    return _train(recipe, folder, [*sizes, *flags])


def train_series(recipe, folder, *flags):
    """Run the main of a weather or generated task on small data; return its run."""
    sizes = [*SMALL_SERIES.get(recipe, SMALL_WEATHER), "--batch-size", "32"]
    if recipe != "series_linear":
        sizes += ["--units", "3"]
    if recipe.startswith("weather"):
        if not (folder / FILE).exists():
            write(folder / FILE, make_rows(400))
        sizes += ["--data-dir", str(folder)]
    return _train(recipe, folder, [*sizes, *flags])


def _train(recipe, folder, flags):
    module = load(recipe)
    before = {run.path for run in find_runs(folder / "runs")}
    main(module.Config, module.run, ["--results-dir", str(folder / "runs"), *flags])
    (run,) = [r for r in find_runs(folder / "runs") if r.path not in before]
    return run


@dataclasses.dataclass(frozen=True)
class SharedRun:
    """A run that several tests only read.

    Attributes:
        run: Finished.
        output: Everything that it printed.
        folder: Its data file and, in `runs`, its run folder.
    """

    run: Run
    output: str
    folder: Path


class SharedRuns:
    """Trains each recipe with the same flags once in a test process."""

    def __init__(self, folder):
        self.folder = folder
        self.runs = {}

    def train(self, train, recipe, *flags):
        """Return the run of `train(recipe, folder, *flags)`.

        Args:
            train: `train_reviews` or `train_series`.
            recipe: Name with underscores.
            flags: Besides those of `train`.
        """
        key = (recipe, flags)
        if key not in self.runs:
            folder = Path(tempfile.mkdtemp(prefix=recipe, dir=self.folder))
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                run = train(recipe, folder, *flags)
            self.runs[key] = SharedRun(run, output.getvalue(), folder)
        return self.runs[key]


def group(recipes):
    """Return parameters whose tests run in one process and so share their runs."""
    return [pytest.param(r, marks=pytest.mark.xdist_group(r)) for r in recipes]


def mark_slow(recipes, fast):
    """Return parameters that `make test` leaves out, but for the fast ones."""
    assert set(fast) <= set(recipes)
    return [
        pytest.param(r, marks=[] if r in fast else pytest.mark.slow) for r in recipes
    ]


def compare_with_stored(path, recipe, losses, update, **tolerance):
    """Compare the losses of a recipe with the stored ones.

    Args:
        path: JSON file, recipe -> losses.
        recipe: Skipped if it has no stored losses.
        losses: Of this run.
        update: Store these losses if the file has none or has others. It leaves the
            other recipes and the losses within the tolerance as they are.
        **tolerance: Arguments of `pytest.approx`.

    Returns:
        A line that says what was stored; None if nothing was.
    """
    stored = json.loads(path.read_text())
    expected = stored.get(recipe)
    if update and (expected is None or losses != pytest.approx(expected, **tolerance)):
        stored[recipe] = losses
        path.write_text(json.dumps(stored, indent=1) + "\n")
        return f"{path.name}: {recipe} {expected} -> {losses}"
    if expected is None:
        pytest.skip(f"{recipe} has no stored losses: make update-stored writes them")
    assert losses == pytest.approx(expected, **tolerance), recipe
    return None
