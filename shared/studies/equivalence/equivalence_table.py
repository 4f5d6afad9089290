"""The table of `make equivalence`: computed, compared, printed and written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from shared.core.environment import describe_machine
from shared.core.files import to_csv, write_text
from shared.studies.equivalence.cases import (
    CELLS,
    DTYPES,
    Case,
    Result,
    Sizes,
    compute_with_cells,
    measure_distance,
)

BOUNDS = {"float32": (1e-5, 1e-5), "float64": (1e-12, 1e-12)}
"""Bounds of outputs, which are at most 1, and of gradients as a share of the largest
value of their array. float32 has seven digits; a sum over some hundred numbers and
steps loses one or two of them. float64 has sixteen digits."""
Row = dict[str, Any]


def compare_all(cases: Iterable[Case], verbose: bool = False) -> list[Row]:
    """Compute every case with every implementation and compare with the reference.

    Args:
        cases: What to compute.
        verbose: Whether to print each case as it begins.

    Returns:
        A row per case and implementation, with the largest differences, or the reason
        why there are none.
    """
    from shared.studies.equivalence.implementations import (
        IMPLEMENTATIONS,
        CannotError,
    )

    rows = []
    for case in cases:
        if verbose:
            print(f"  {case.name}", flush=True)
        reference = compute_with_cells(case, "float64")
        for name, compute in IMPLEMENTATIONS.items():
            row = {
                "way": name,
                "cell": case.cell,
                "network": case.network,
                "padding": case.padding,
                "dtype": case.dtype,
            }
            try:
                row |= compare_result(case, compute(case), reference)
            except CannotError as reason:
                row |= dict.fromkeys(
                    ("outputs", "gradients", "bound_outputs", "bound_gradients")
                )
                row |= {"state": "cannot", "reason": str(reason)}
            rows.append(row)
    return rows


def compare_result(case: Case, result: Result, reference: Result) -> Row:
    """Return the largest differences, their bounds, and whether they are within."""
    outputs, gradients = measure_distance(case, result, reference)
    bounds = BOUNDS[case.dtype]
    # Not written with ">": a NaN must count as a difference.
    same = outputs <= bounds[0] and (gradients is None or gradients <= bounds[1])
    return {
        "outputs": float(f"{outputs:.2g}"),
        "gradients": None if gradients is None else float(f"{gradients:.2g}"),
        "bound_outputs": bounds[0],
        "bound_gradients": None if gradients is None else bounds[1],
        "state": "same" if same else "differs",
        "reason": "" if gradients is not None else "forward only",
    }


def show_table(rows: Sequence[Row]) -> None:
    """Print the largest difference per implementation and cell, and what is missing."""
    console = Console(highlight=False)
    for dtype in DTYPES:
        bounds = BOUNDS[dtype]
        table = Table(
            title=f"{dtype}: largest difference from NumPy in float64, outputs (bound "
            f"{bounds[0]:.0e}) / gradients (share of the largest; bound "
            f"{bounds[1]:.0e})",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("implementation", overflow="fold")
        for cell in CELLS:
            table.add_column(cell, justify="right")
        for cells in _summarise(rows, dtype):
            table.add_row(*cells)
        console.print(table)
    for reason in _list_reasons(rows):
        print(reason)


def write_table(rows: Sequence[Row], sizes: Sizes, folder: Path) -> None:
    """Write every row as CSV, and the summary as a Markdown page."""
    write_text(folder / "equivalence.csv", to_csv(rows))
    facts = describe_machine()
    device = facts["device"]
    known = facts["versions"] | _list_optional()
    versions = ", ".join(f"{name} {version}" for name, version in known.items())
    lines = [
        "# One set of weights, every implementation",
        "",
        f"`make equivalence`: batch {sizes.batch}, {sizes.steps} steps, "
        f"{sizes.features} features, {sizes.units} units; one layer, stacked, "
        "bidirectional; no mask, masked padding left and right. Largest difference "
        "from the cells in NumPy in float64: outputs / gradients (as a share of the "
        "largest value of their array).",
        "",
        f"{device['machine']}, {device['cpu']}, GPUs: {device['gpus'] or 'none'}; "
        f"{versions}.",
    ]
    for dtype in DTYPES:
        lines += ["", f"## {dtype}, bounds {BOUNDS[dtype][0]:.0e} / "
                  f"{BOUNDS[dtype][1]:.0e}", ""]  # fmt: skip
        lines += [
            "| implementation | " + " | ".join(CELLS) + " |",
            "|---" * (len(CELLS) + 1) + "|",
        ]
        lines += ["| " + " | ".join(cells) + " |" for cells in _summarise(rows, dtype)]
    lines += ["", "## Missing, or only in part", ""]
    lines += [f"- {reason}" for reason in _list_reasons(rows)]
    write_text(folder / "equivalence.md", "\n".join(lines) + "\n")
    for name in ("equivalence.csv", "equivalence.md"):
        print(f"Saved {folder / name}")


def _list_optional() -> dict[str, str]:
    """Return the versions of the optional packages that are installed."""
    found = {}
    for name in ("torch", "tf2onnx", "onnxruntime", "ai-edge-litert"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _summarise(rows: Sequence[Row], dtype: str) -> Iterable[list[str]]:
    """Yield a line of the table per implementation: its name, and the worst values."""
    for name in dict.fromkeys(row["way"] for row in rows):
        cells = [name]
        for cell in CELLS:
            here = [
                row
                for row in rows
                if (row["way"], row["cell"], row["dtype"]) == (name, cell, dtype)
                and row["state"] != "cannot"
            ]
            if not here:
                cells.append("-")
                continue
            text = f"{max(row['outputs'] for row in here):.1e}"
            known = [r["gradients"] for r in here if r["gradients"] is not None]
            text += f" / {max(known):.1e}" if known else " / -"
            cells.append(text)
        yield cells


def _list_reasons(rows: Sequence[Row]) -> list[str]:
    """Return what could not be computed and why, one line per reason."""
    places: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["reason"]:
            places.setdefault((row["way"], row["reason"]), []).append(row)
    lines = []
    for (name, reason), found in places.items():
        where = ""
        if len(found) < sum(row["way"] == name for row in rows):
            kinds = [
                "/".join(dict.fromkeys(row[key] for row in found))
                for key in ("cell", "network", "padding", "dtype")
                if len({row[key] for row in found})
                < len({row[key] for row in rows if row["way"] == name})
            ]
            where = f" ({'; '.join(kinds)})" if kinds else f" ({len(found)} cases)"
        lines.append(f"{name}{where}: {reason}")
    return lines


def format_row(row: Row) -> str:
    """Return a row as a line of text."""
    case = ", ".join(row[key] for key in ("cell", "network", "padding", "dtype"))
    return (
        f"{row['way']} ({case}): outputs {row['outputs']}, gradients {row['gradients']}"
    )
