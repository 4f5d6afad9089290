"""Recipes in a Jupyter notebook: train, look at the curves, compare, predict.

    from shared.commands.notebook import compare, predict, show, train

    small = train("sine-gru", units=8)      # make sine-gru ARGS="--units 8"
    large = train("sine-gru", units=64)
    show(large)
    compare(small, large)

Every training is a run with its own folder in `results/runs`, as on the command line.
So `make compare` and `make report` find it. A bad input shows one line.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.commands.options import RunOptions, parse_recipe
from shared.commands.recipe import run_to_the_end
from shared.core.backend import limit_threads, read_threads
from shared.core.errors import UserError, format_flag, format_value
from shared.core.flags import list_changes, list_names, resolve_config
from shared.core.recipes import list_recipes, load_recipe
from shared.runs.reader import RUNS, Run, read_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = RUNS
"""Folder of all runs. Set another one before the first training."""
SHORT = "RNN_RECIPES_SHORT"
"""Environment variable: train one epoch on few examples, whatever a cell says. For
tests of notebooks; the scores say nothing then."""
FEW = 400
FEW_ROWS = 4_000  # of a weather record: a window is hundreds of rows long


def train(
    recipe: str | Callable[[Any, Any], None],
    config: Any = None,
    **flags: Any,
) -> Run:
    """Train a recipe once, and print its scores.

    Args:
        recipe: Its name, e.g. `"sine-gru"`, or its function `run`.
        config: A `Config` of the recipe; None takes its defaults.
        **flags: Flags of the command line, e.g. `units=64, mask=True`. They need the
            default config.

    Returns:
        The run, read from its folder.

    Raises:
        UserError: On an unknown recipe or flag, and on all that the command line
            refuses.
    """
    module = _find_module(recipe)
    path = Path(module.__file__)
    typed, options = _read_settings(module, config, flags)
    limit_threads(options.threads or read_threads())
    resolved = resolve_config(typed)
    changed = list_changes(typed, module.Config())
    given = [word for flag in changed.items() for word in _type_flag(*flag)]
    command = shlex.join(["python", f"recipes/{path.name}", *given])
    root = options.results_dir or ROOT
    name = path.stem.replace("_", "-")
    try:
        folder = run_to_the_end(name, resolved, module.run, changed, command, root)
    except SystemExit:  # Jupyter's stop button; the run folder says so
        raise KeyboardInterrupt from None
    return read_run(folder)


def show(run: Run, *pictures: str) -> None:
    """Show pictures of a run.

    Args:
        run: From `train`.
        *pictures: Names without `.png`, e.g. `"confusion"`; none means the curves.

    Raises:
        UserError: If the run has no such picture.
    """
    for name in pictures or ("curves",):
        path = run.path / f"{name}.png"
        if not path.is_file():
            there = ", ".join(sorted(p.stem for p in run.path.glob("*.png"))) or "none"
            raise UserError(f"{name}: no such picture in this run. There are: {there}.")
        _display(path.read_bytes())


def compare(*runs: Run | str) -> None:
    """Print the table and the verdicts of several runs, and show their curves.

    Args:
        *runs: From `train`, or recipe names, which mean all their finished runs.

    Raises:
        UserError: If a name matches no finished run.
    """
    from shared.compare.comparison import show_groups, show_verdicts
    from shared.compare.verdicts import compare_groups
    from shared.plots.comparison_figure import draw_comparison
    from shared.runs.groups import choose_runs, group_runs

    if not runs:
        raise UserError('compare: no run given. Example: compare("sine-gru").')
    names = [str(run.path) if isinstance(run, Run) else run for run in runs]
    chosen, left_out = choose_runs(names, ROOT)
    groups = group_runs(chosen)
    for data in dict.fromkeys(group.data for group in groups):
        same_data = [group for group in groups if group.data == data]
        show_groups(same_data)
        show_verdicts(compare_groups(same_data), same_data)
    for note in left_out:
        print(note)
    _display(_to_png(draw_comparison(groups)))


def predict(run: Run, file: str | Path | None = None, text: str | None = None) -> None:
    """Forecast with a trained run, or classify texts, and show the picture.

    Args:
        run: From `train`.
        file: A table with newer rows, or with texts; None takes the run's own data.
        text: One text, for a text recipe.

    Raises:
        UserError: If the run cannot predict, or the file does not fit.
    """
    from shared.inference.predict import main

    words = [str(run.path)]
    words += ["--file", str(file)] if file is not None else []
    words += ["--text", text] if text is not None else []
    before = set(run.path.glob("forecasts/*"))
    try:
        main(words)
    except SystemExit as end:  # it has printed the reason
        raise UserError("predict: no prediction; the line above says why.") from end
    for folder in set(run.path.glob("forecasts/*")) - before:
        _display((folder / "forecast.png").read_bytes())


def _find_module(recipe: str | Callable[[Any, Any], None]) -> Any:
    if not isinstance(recipe, str):
        return inspect.getmodule(recipe)
    module = load_recipe(recipe)
    if module is None:
        known = ", ".join(list_recipes())
        raise UserError(f"{recipe}: no such recipe. There are: {known}.")
    return module


def _read_settings(
    module: Any, config: Any, flags: dict[str, Any]
) -> tuple[Any, RunOptions]:
    """Return the config and the other flags, checked as on the command line."""
    if config is not None and (extra := sorted(set(flags) - {"results_dir"})):
        raise UserError(
            f"{', '.join(extra)}: given beside a config. Write all values into the "
            "config, or all as keywords."
        )
    is_short = bool(os.environ.get(SHORT))
    if is_short and config is None:
        flags = flags | {"epochs": 1}
        if "limit" in list_names(module.Config):
            is_record = list_names(module.Config) >= {"lookback", "sampling"}
            flags = flags | {"limit": FEW_ROWS if is_record else FEW}
    words = [word for flag in flags.items() for word in _type_flag(*flag)]
    prog = Path(module.__file__).name
    typed, options = parse_recipe(module.Config, words, prog, "")
    if options.seeds is not None:
        raise UserError(
            "seeds: not in a notebook. Train once per seed: "
            "[train(..., seed=seed) for seed in range(5)]."
        )
    if options.kernels:
        raise UserError("kernels: not in a notebook. Use make kernels.")
    options.validate()
    if config is not None:
        typed = _shorten(config) if is_short else config
    return typed, options


def _type_flag(name: str, value: Any) -> list[str]:
    """Return a flag as it is typed: `units`, 64 -> `--units`, `64`."""
    if isinstance(value, bool):
        return [format_value(name, value)]
    if isinstance(value, (list, tuple)):
        return [format_flag(name), *map(str, value)]
    return [format_flag(name), str(value)]


def _shorten(config: Any) -> Any:
    training = dataclasses.replace(config.training, epochs=1)
    return dataclasses.replace(config, training=training)


def _to_png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _display(png: bytes) -> None:
    if "IPython" not in sys.modules:
        raise UserError("There is no notebook to show a picture in. Open one.")
    from IPython.display import Image, display

    display(Image(png))
