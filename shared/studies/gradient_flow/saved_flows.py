"""The joint picture of the gradient flow again, from its CSV file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.compare.redraw import make_bare_group
from shared.core.errors import UserError
from shared.studies.gradient_flow.flow_figure import TITLE, draw_flows, name_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("lower_quartile", "median", "upper_quartile")


class SavedFlow:
    """The figures of one state with one set of weights, as a table keeps them."""

    def __init__(self, rows: list[Mapping[str, str]]) -> None:
        """Take the rows of a table, starting at the last step read."""
        self.columns = {k: np.array([float(row[k]) for row in rows]) for k in COLUMNS}

    def summarise(self) -> dict[str, np.ndarray]:
        """Return quartiles and median by steps back, each (num_steps,)."""
        return self.columns


def draw_saved_flows(path: Path) -> Figure:
    """Draw a joint table of `make gradient-flow`.

    Args:
        path: The CSV file.

    Raises:
        UserError: If the file holds no row.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise UserError(f"{path}: holds no row. Run make gradient-flow again.")
    groups = {
        row["run"]: make_bare_group(
            row["run"].removesuffix(f" on {row['data']}"), row["data"]
        )
        for row in rows
    }
    names, titles = name_panels(list(groups.values()))
    panels: dict[str, dict[str, dict[str, SavedFlow]]] = {}
    recipes = {}
    for run, group in groups.items():
        mine = [row for row in rows if row["run"] == run]
        layers = {row["layer"] for row in mine}
        for layer, state in dict.fromkeys((r["layer"], r["state"]) for r in mine):
            where = f"{layer}, {state}" if len(layers) > 1 else state
            label = f"{names[group.label, group.data]}: {where}"
            recipes[label] = group.runs[0].recipe
            chosen = [r for r in mine if (r["layer"], r["state"]) == (layer, state)]
            panels.setdefault(titles[group.data], {})[label] = {
                weights: SavedFlow([r for r in chosen if r["weights"] == weights])
                for weights in dict.fromkeys(r["weights"] for r in chosen)
            }
    return draw_flows(panels, TITLE, recipes)
