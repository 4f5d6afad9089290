"""Small texts for writers, and their runs."""

from shared.commands.recipe import main
from shared.runs.reader import find_runs
from tests.recipes.training_runs import load

PLAY = "To be, or not to be:\nthat is the question.\n" * 60  # 2,580 characters
SMALL = ["--units", "5", "--steps", "7", "--batch-size", "3", "--epochs", "2",
         "--embedding-size", "3"]  # fmt: skip


def train_writer(recipe, folder, *flags):
    """Run the main of a writer on a small play, `play.txt`; return its run."""
    path = folder / "play.txt"
    if not path.exists():
        path.write_text(PLAY)
    module = load(recipe)
    source = [] if {"--file", "--data"} & set(flags) else ["--file", str(path)]
    before = {run.path for run in find_runs(folder / "runs")}
    places = ["--results-dir", str(folder / "runs")]
    main(module.Config, module.run, [*SMALL, *source, *flags, *places])
    (run,) = [run for run in find_runs(folder / "runs") if run.path not in before]
    return run
