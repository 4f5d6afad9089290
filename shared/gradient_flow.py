"""The vanishing gradient, seen: how much of the loss's gradient reaches each step.

    make gradient-flow RUNS="imdb-simple-rnn imdb-lstm imdb-gru"
    python -m shared.gradient_flow results/runs/imdb-lstm/2026-11-21T11-00-00Z-seed0

Takes recipe names (the newest finished run of each) and run folders. Draws the norm of
the gradient of an example's loss by the state against the step, with the run's first
weights and with those it kept. Writes gradient_flow.csv and gradient_flow.png into each
run folder, and for several runs a joint picture and table to results/comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tyro
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.backend import import_keras, limit_threads, read_threads
from shared.compare import COMPARISONS, name_files
from shared.data.windows import Windows
from shared.errors import UserError, check_at_least
from shared.files import to_csv, write_text, write_whole
from shared.flags import one_line_errors, parse
from shared.groups import choose_runs, group_runs
from shared.kernels.plan import list_recurrent_layers
from shared.models import load_model
from shared.plots import name_run
from shared.rehearsal import rehearse
from shared.run_folder import RunFolder
from shared.runs import RUNS, Run, read_model_epoch
from shared.state_gradients import Flow, measure_flow

if TYPE_CHECKING:
    from shared.data.splits import Examples

NAME = "gradient_flow"
TITLE = "How much of the gradient of the loss reaches each step"
States = dict[str, dict[str, Flow]]  # label of a state -> `start` and `trained`


@dataclass(frozen=True)
class Options:
    """Which runs to look at, and where to write."""

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Recipe names or run folders."""
    examples: int = 64
    """Examples of the validation part to average over."""
    data_dir: Path | None = None
    """Folder of the runs' data file; None looks where each run found it."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path = COMPARISONS
    """With several runs: folder for the joint picture and table."""
    name: str = ""
    """With several runs: name of these files; the default is made from the runs."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, measure, write and print. Status 2 after a bad input."""
    import sys

    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--results-dir, --to"):
        options = parse(Options, flags, "python -m shared.gradient_flow", __doc__)
        check_at_least(options, {"examples": 1})
        if threads := read_threads():
            limit_threads(threads)
        runs = find_named(options.runs, options.results_dir)
        if len(runs) > 1:
            options.to.mkdir(parents=True, exist_ok=True)  # tells a bad place at once
        count = options.examples
        measured = [measure_run(run, count, options.data_dir) for run in runs]
        labels = label_runs(runs)
        show_flows(dict(zip(labels, measured, strict=True)))
        for run, states in zip(runs, measured, strict=True):
            write_flow(run, states)
            print(f"Saved {run.path / NAME}.png and .csv")
        if len(runs) > 1:
            name = options.name or f"gradient-flow-{name_files(options.runs)}"
            for path in write_joint(runs, measured, options.to, name):
                print(f"Saved {path}")


def find_named(names: Iterable[str], root: Path) -> list[Run]:
    """Return the newest finished run of each recipe named, and the runs named.

    Raises:
        UserError: If there is no name, or one that means nothing.
    """
    runs = {}
    for name in names:
        run = choose_runs([name], root)[0][-1]
        runs.setdefault(run.path.resolve(), run)
    if not runs:
        raise UserError("Name recipes or run folders, e.g. imdb-gru.")
    return list(runs.values())


def measure_run(run: Run, examples: int, data_dir: Path | None = None) -> States:
    """Measure a run with its first weights and with those it kept.

    Args:
        run: With a model in its folder.
        examples: How many of the validation part; all if there are fewer. They are
            drawn from all of it, the same ones every time, since neighbours in a
            series are alike.
        data_dir: Where its data file lies now.

    Returns:
        Name of the layer and the state -> the gradient with `start` and with `trained`
        weights.

    Raises:
        UserError: If the run has no model, no recurrent layer, or cannot be built
            again.
    """
    import_keras()
    trained = load_model(run.path)
    if not any(True for _ in list_recurrent_layers(trained)):
        raise UserError(
            f"{run.path}: {run.recipe} has no recurrent layer (SimpleRNN, LSTM or "
            "GRU), so no state to differentiate by; name a run of another recipe."
        )
    first = rehearse(run, data_dir)
    if _shapes(first.model) != _shapes(trained):
        raise UserError(
            f"{run.path}: {run.recipe} builds another model now than it did for this "
            "run; train it anew."
        )
    inputs, targets = _draw(first.splits.validation, examples)
    flows = {
        "start": measure_flow(first.model, inputs, targets),
        "trained": measure_flow(trained, inputs, targets),
    }
    pairs = zip(flows["start"], flows["trained"], strict=True)
    return {
        f"{start.layer}, {start.state}": {"start": start, "trained": after}
        for start, after in pairs
    }


def label_runs(runs: Sequence[Run]) -> list[str]:
    """Return recipe and flags of each run, with data and seed where they differ."""
    labels = {}
    groups = group_runs(runs)
    mixed = len({group.data for group in groups}) > 1
    for group in groups:
        data = f" on {group.data}" if mixed else ""
        for run in group.runs:
            seed = f", seed {run.seed}" if len(group.runs) > 1 else ""
            labels[run.path] = f"{group.label}{data}{seed}"
    return [labels[run.path] for run in runs]


def show_flows(measured: Mapping[str, States]) -> None:
    """Print how much of the gradient is lost from the last step read to the first.

    Args:
        measured: Label of a run -> its states.
    """
    table = Table(
        title="Powers of ten that the gradient of the loss by the state loses",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("run", overflow="fold")
    table.add_column("state", no_wrap=True)
    for name in ("steps read", "first weights", "trained"):
        table.add_column(name, justify="right")
    for label, states in measured.items():
        for state, flows in states.items():
            cells = [f"{np.median(flows['start'].lengths):.0f}"]
            for flow in flows.values():
                lost = flow.orders_lost()
                cells.append(f"{np.median(lost):.1f}" if len(lost) else "-")
            table.add_row(Text(label), state, *cells)
    Console(highlight=False).print(table)
    counts = {len(f["start"].norms) for s in measured.values() for f in s.values()}
    examples = " or ".join(map(str, sorted(counts)))
    print(
        "On its way back from the last step read to the first; below 0 it grows. "
        f"Medians of {examples} validation examples."
    )


def write_flow(run: Run, states: States) -> None:
    """Write the picture and the table of a run into its folder."""
    from shared.flow_figure import draw_flows

    folder = RunFolder.of_run(run)
    task = f"{name_run(run)}, trained: weights of epoch {read_model_epoch(run.path)}"
    folder.write_figure(NAME, draw_flows({task: states}, TITLE))
    folder.write_table(NAME, list(_list_rows(states)))


def write_joint(
    runs: Sequence[Run], measured: Sequence[States], folder: Path, name: str
) -> list[Path]:
    """Write one picture and one table of several runs, a row of panels per data set.

    Returns:
        The two paths.
    """
    from shared.flow_figure import draw_flows

    data = {run.path: group.data for group in group_runs(runs) for run in group.runs}
    panels: dict[str, States] = {}
    rows: list[dict[str, Any]] = []
    for run, label, states in zip(runs, label_runs(runs), measured, strict=True):
        panel = panels.setdefault(data[run.path], {})
        layers = {flow["start"].layer for flow in states.values()}
        for state, flows in states.items():
            told = state if len(layers) > 1 else flows["start"].state
            panel[f"{label}: {told}"] = flows
        facts = {"run": label, "data": data[run.path], "seed": run.seed}
        rows += [facts | row for row in _list_rows(states)]
    paths = [folder / f"{name}{ending}" for ending in (".png", ".csv")]
    figure = draw_flows(panels, TITLE)
    write_whole(paths[0], lambda part: figure.savefig(part))
    write_text(paths[1], to_csv(rows))
    return paths


def _list_rows(states: States) -> Iterable[dict[str, Any]]:
    """Yield a row per state, weights and step, the last step read first."""
    for flows in states.values():
        for weights, flow in flows.items():
            facts = {"layer": flow.layer, "state": flow.state, "weights": weights}
            columns = flow.summarise()
            for age, values in enumerate(zip(*columns.values(), strict=True)):
                told = (f"{value:.6g}" for value in values)
                row = dict(zip(columns, told, strict=True))
                yield facts | {"steps_back": age} | row


def _draw(part: Examples, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of some examples, as arrays."""
    count = min(count, len(part))
    chosen = np.random.default_rng(0).choice(len(part), count, replace=False)
    chosen.sort()
    inputs = part.inputs
    cut = inputs.cut(chosen) if isinstance(inputs, Windows) else inputs[chosen]
    return cut, part.targets[chosen]


def _shapes(model: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in model.weights]


if __name__ == "__main__":
    main()
