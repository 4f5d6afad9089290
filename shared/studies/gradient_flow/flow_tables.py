"""Print and write the gradient flow of measured runs: tables and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from shared.core.files import to_csv, write_text, write_whole
from shared.plots.curves import name_run
from shared.runs.groups import group_runs
from shared.runs.reader import Run, read_model_epoch
from shared.runs.terminal import make_console
from shared.runs.writer import RunFolder
from shared.studies.gradient_flow.measure_runs import StateFlows

NAME = "gradient_flow"


def label_runs(runs: Sequence[Run]) -> list[str]:
    """Return recipe and flags of each run, with data and seed if these differ."""
    labels = {}
    groups = group_runs(runs)
    mixed = len({group.data for group in groups}) > 1
    for group in groups:
        data = f" on {group.data}" if mixed else ""
        for run in group.runs:
            seed = f", seed {run.seed}" if len(group.runs) > 1 else ""
            labels[run.path] = f"{group.label}{data}{seed}"
    return [labels[run.path] for run in runs]


def show_flows(measured: Mapping[str, StateFlows]) -> None:
    """Print how much of the gradient is lost between the last and first step read.

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
    make_console().print(table)
    counts = {len(f["start"].norms) for s in measured.values() for f in s.values()}
    examples = " or ".join(map(str, sorted(counts)))
    print(
        "Counted from the last step read back to the first. Below 0 the gradient "
        f"grows. Medians of {examples} validation examples."
    )


def write_flow(run: Run, states: StateFlows) -> None:
    """Write the picture and the table of a run into its folder."""
    from shared.studies.gradient_flow.flow_figure import TITLE, draw_flows

    folder = RunFolder.of_run(run)
    recipes = dict.fromkeys(states, run.recipe)
    task = f"{name_run(run)}, trained: weights of epoch {read_model_epoch(run.path)}"
    folder.write_figure(NAME, draw_flows({task: states}, TITLE, recipes))
    folder.write_table(NAME, list(_list_rows(states)))


def write_joint(
    runs: Sequence[Run], measured: Sequence[StateFlows], folder: Path, name: str
) -> list[Path]:
    """Write one picture and one table of several runs, with a panel per data set.

    Returns:
        The two paths.
    """
    from shared.studies.gradient_flow.flow_figure import (
        TITLE,
        draw_flows,
        name_panels,
    )

    groups = group_runs(runs)
    names, titles = name_panels(groups)
    owner = {run.path: group for group in groups for run in group.runs}
    recipes: dict[str, str] = {}
    panels: dict[str, StateFlows] = {}
    rows: list[dict[str, Any]] = []
    for run, label, states in zip(runs, label_runs(runs), measured, strict=True):
        group = owner[run.path]
        short = names[group.label, group.data]
        if len(group.runs) > 1:
            short += f", seed {run.seed}"
        panel = panels.setdefault(titles[group.data], {})
        layers = {flow["start"].layer for flow in states.values()}
        for state, flows in states.items():
            name_of_state = state if len(layers) > 1 else flows["start"].state
            panel[f"{short}: {name_of_state}"] = flows
            recipes[f"{short}: {name_of_state}"] = run.recipe
        facts = {"run": label, "data": group.data, "seed": run.seed}
        rows += [facts | row for row in _list_rows(states)]
    paths = [folder / f"{name}{ending}" for ending in (".png", ".csv")]
    figure = draw_flows(panels, TITLE, recipes)
    write_whole(paths[0], lambda part: figure.savefig(part))
    write_text(paths[1], to_csv(rows))
    return paths


def _list_rows(states: StateFlows) -> Iterable[dict[str, Any]]:
    """Yield a row per state, weights and step, starting at the last step read."""
    for flows in states.values():
        for weights, flow in flows.items():
            facts = {"layer": flow.layer, "state": flow.state, "weights": weights}
            columns = flow.summarise()
            for age, values in enumerate(zip(*columns.values(), strict=True)):
                texts = (f"{value:.6g}" for value in values)
                row = dict(zip(columns, texts, strict=True))
                yield facts | {"steps_back": age} | row
