"""How good is weather-best in a season that it was not trained on?

    make bench-seasons ARGS='"" "--reads target"'

The first 71 % of the one-year file (January to mid-September) are cut into three parts
of equal length. Each part is left out once. The network learns from the other two, for
all its epochs, and forecasts the third. Windows within eleven days of the border (or
within the length of a window, if that is more) are left out. The rest of the file is
not read. An argument is one set of the recipe's flags; "" means the defaults. The
result is the mean absolute error as a share of the error of the value 24 hours ago.
Writes a row to results/benchmarks/seasons.csv, and replaces the row of the same flags.
"""

from __future__ import annotations

import csv
import dataclasses
import shlex
import sys

import numpy as np

from recipes.weather_best import Config, build_model
from shared.commands.options import parse_recipe
from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text
from shared.core.flags import one_line_errors, resolve_config
from shared.data.splits import Examples
from shared.data.weather.dataset import WeatherSplits, load_weather
from shared.kernels.choice import apply_kernel
from shared.training.config import build_optimizer, set_seed
from shared.training.fit import fit_quietly

TARGET = PROJECT / "results" / "benchmarks" / "seasons.csv"
PARTS = 3
BORDER = 11 * 144  # rows: a window reads ten days and forecasts one day ahead


def main() -> None:
    # Not argparse: an argument such as "--no-return-sequences" is a value here.
    for flags in sys.argv[1:] or [""]:
        with one_line_errors("--data-dir"):
            config, _ = parse_recipe(Config, shlex.split(flags), "weather_best.py", "")
            row = {"flags": flags} | _measure(resolve_config(config))
        rows = list(csv.DictReader(TARGET.open())) if TARGET.exists() else []
        rows = [r for r in rows if r["flags"] != flags] + [row]
        write_text(TARGET, to_csv(rows))
        print(row, flush=True)


def _measure(config: Config) -> dict[str, float]:
    """Return the error as a share, for each part left out and on average."""
    weather = dataclasses.replace(
        config.weather, train_share=0.71, validation_share=0.04, data="jena-2020"
    )
    splits = load_weather(weather)
    shares = {}
    for part in range(PARTS):
        fold = _leave_out(splits, part, max(BORDER, weather.span))
        set_seed(config.training.seed)
        model = build_model(config, fold)
        model.compile(build_optimizer(config.training), "mse", metrics=["mae"])
        apply_kernel(model, "compiled")
        error = fit_quietly(model, fold, config.training)["val_mae"][-1]
        windows = fold.validation.inputs
        last = windows.starts + (windows.steps - 1) * windows.sampling
        change = fold.validation.targets - splits.target[last]
        shares[f"part {part + 1}"] = error / float(np.abs(change).mean())
    shares["mean"] = sum(shares.values()) / PARTS
    return {name: round(share, 3) for name, share in shares.items()}


def _leave_out(splits: WeatherSplits, part: int, border: int) -> WeatherSplits:
    """Return splits that validate on one part and train on the others."""
    examples = splits.train
    starts = examples.inputs.starts
    edges = np.linspace(starts[0], starts[-1] + 1, PARTS + 1)
    first, stop = edges[part], edges[part + 1]
    inside = (starts >= first) & (starts < stop)
    outside = (starts < first - border) | (starts >= stop + border)
    return dataclasses.replace(
        splits, train=_take(examples, outside), validation=_take(examples, inside)
    )


def _take(examples: Examples, which: np.ndarray) -> Examples:
    inputs = dataclasses.replace(examples.inputs, starts=examples.inputs.starts[which])
    return dataclasses.replace(
        examples,
        inputs=inputs,
        targets=examples.targets[which],
        times=examples.times[which],
    )


if __name__ == "__main__":
    main()
