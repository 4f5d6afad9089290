"""Prove that every way to compute a recurrent layer computes the same.

    make equivalence
    python -m shared.equivalence --steps 50 --units 32

Carries the same weights through the cells written out in NumPy, Keras' paths, the
suite's compiled loop, cuDNN, PyTorch and exported forms where they are there, for
SimpleRNN, LSTM and GRU, one layer, stacked and bidirectional, with and without masked
padding on either side. The truth is NumPy in float64. Writes the largest differences to
results/equivalence; ends with status 1 if one passes its bound.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from shared.backend import import_keras
from shared.environment import PROJECT, describe_machine
from shared.equivalence.cases import (
    CELLS,
    DTYPES,
    Case,
    Result,
    Sizes,
    compute_with_cells,
    list_cases,
    measure_distance,
)
from shared.errors import check_at_least
from shared.files import to_csv, write_text
from shared.flags import one_line_errors, parse

RESULTS = PROJECT / "results" / "equivalence"
BOUNDS = {"float32": (1e-5, 1e-5), "float64": (1e-12, 1e-12)}
"""Of outputs, which are at most 1, and of gradients as a share of the largest of their
array. float32 keeps seven digits and a sum over some hundred numbers and steps loses
one or two of them; float64 keeps sixteen."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """How large the cases are, and where the table goes."""

    sizes: tyro.conf.OmitArgPrefixes[Sizes] = Sizes()
    to: Path = RESULTS
    """Folder for the table."""

    def check(self) -> None:
        """Refuse sizes that leave nothing to compare."""
        least = {"batch": 2, "steps": 2, "features": 1, "units": 1}
        check_at_least(self.sizes, least)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, compare, print and write. Status 1 if anything differs."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.equivalence", __doc__)
        options.check()
        options.to.mkdir(parents=True, exist_ok=True)  # tells a bad place at once
        import_keras()
        # Every case is traced anew, which TensorFlow takes for an oversight.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        rows = climb(list_cases(options.sizes), told=True)
        show(rows)
        write(rows, options)
    if wrong := [row for row in rows if row["state"] == "differs"]:
        for row in wrong:
            print(f"Differs: {_spell(row)}", file=sys.stderr)
        sys.exit(1)


def climb(cases: Iterable[Case], told: bool = False) -> list[Row]:
    """Compute every case in every way and compare with the truth.

    Args:
        cases: What to compute.
        told: Whether to print each case as it begins.

    Returns:
        A row per case and way, with the largest differences, or why there is none.
    """
    from shared.equivalence.rungs import RUNGS, CannotError

    rows = []
    for case in cases:
        if told:
            print(f"  {case.name}", flush=True)
        truth = compute_with_cells(case, "float64")
        for name, compute in RUNGS.items():
            row = {
                "way": name,
                "cell": case.cell,
                "network": case.network,
                "padding": case.padding,
                "dtype": case.dtype,
            }
            try:
                row |= _judge(case, compute(case), truth)
            except CannotError as reason:
                row |= dict.fromkeys(
                    ("outputs", "gradients", "bound_outputs", "bound_gradients")
                )
                row |= {"state": "cannot", "reason": str(reason)}
            rows.append(row)
    return rows


def _judge(case: Case, result: Result, truth: Result) -> Row:
    outputs, gradients = measure_distance(case, result, truth)
    bounds = BOUNDS[case.dtype]
    # Not "above": a NaN must differ.
    same = outputs <= bounds[0] and (gradients is None or gradients <= bounds[1])
    return {
        "outputs": float(f"{outputs:.2g}"),
        "gradients": None if gradients is None else float(f"{gradients:.2g}"),
        "bound_outputs": bounds[0],
        "bound_gradients": None if gradients is None else bounds[1],
        "state": "same" if same else "differs",
        "reason": "" if gradients is not None else "forward only",
    }


def show(rows: Sequence[Row]) -> None:
    """Print the largest difference per way and cell, and what could not be computed."""
    console = Console(highlight=False)
    for dtype in DTYPES:
        bounds = BOUNDS[dtype]
        table = Table(
            title=f"{dtype}: largest difference to NumPy in float64, outputs (bound "
            f"{bounds[0]:.0e}) / gradients (share of the largest; bound "
            f"{bounds[1]:.0e})",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("way", overflow="fold")
        for cell in CELLS:
            table.add_column(cell, justify="right")
        for cells in _summarise(rows, dtype):
            table.add_row(*cells)
        console.print(table)
    for reason in _list_reasons(rows):
        print(reason)


def write(rows: Sequence[Row], options: Options) -> None:
    """Write every row as CSV, and the summary as a page."""
    write_text(options.to / "equivalence.csv", to_csv(rows))
    facts = describe_machine()
    device, sizes = facts["device"], options.sizes
    known = facts["versions"] | _list_optional()
    versions = ", ".join(f"{name} {version}" for name, version in known.items())
    lines = [
        "# One set of weights, every way to compute it",
        "",
        f"`make equivalence`: batch {sizes.batch}, {sizes.steps} steps, "
        f"{sizes.features} features, {sizes.units} units; one layer, stacked, "
        "bidirectional; no mask, masked padding left and right. Largest difference to "
        "the cells written out in NumPy in float64: outputs / gradients (as a share of "
        "the largest number of their array).",
        "",
        f"{device['machine']}, {device['cpu']}, GPUs: {device['gpus'] or 'none'}; "
        f"{versions}.",
    ]
    for dtype in DTYPES:
        lines += ["", f"## {dtype}, bounds {BOUNDS[dtype][0]:.0e} / "
                  f"{BOUNDS[dtype][1]:.0e}", ""]  # fmt: skip
        lines += [
            "| way | " + " | ".join(CELLS) + " |",
            "|---" * (len(CELLS) + 1) + "|",
        ]
        lines += ["| " + " | ".join(cells) + " |" for cells in _summarise(rows, dtype)]
    lines += ["", "## Not there, or only in part", ""]
    lines += [f"- {reason}" for reason in _list_reasons(rows)]
    write_text(options.to / "equivalence.md", "\n".join(lines) + "\n")
    for name in ("equivalence.csv", "equivalence.md"):
        print(f"Saved {options.to / name}")


def _list_optional() -> dict[str, str]:
    """Return the versions of what need not be installed, and is."""
    found = {}
    for name in ("torch", "tf2onnx", "onnxruntime", "ai-edge-litert"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _summarise(rows: Sequence[Row], dtype: str) -> Iterable[list[str]]:
    """Yield a line of the table per way: its name, and the worst of each cell."""
    for way in dict.fromkeys(row["way"] for row in rows):
        cells = [way]
        for cell in CELLS:
            here = [
                row
                for row in rows
                if (row["way"], row["cell"], row["dtype"]) == (way, cell, dtype)
                and row["state"] != "cannot"
            ]
            if not here:
                cells.append("-")
                continue
            told = f"{max(row['outputs'] for row in here):.1e}"
            known = [r["gradients"] for r in here if r["gradients"] is not None]
            told += f" / {max(known):.1e}" if known else " / -"
            cells.append(told)
        yield cells


def _list_reasons(rows: Sequence[Row]) -> list[str]:
    """Return what could not be computed and why, each reason once."""
    places: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["reason"]:
            places.setdefault((row["way"], row["reason"]), []).append(row)
    told = []
    for (way, reason), members in places.items():
        where = ""
        if len(members) < sum(row["way"] == way for row in rows):
            kinds = [
                "/".join(dict.fromkeys(row[key] for row in members))
                for key in ("cell", "network", "padding", "dtype")
                if len({row[key] for row in members})
                < len({row[key] for row in rows if row["way"] == way})
            ]
            where = f" ({'; '.join(kinds)})" if kinds else f" ({len(members)} cases)"
        told.append(f"{way}{where}: {reason}")
    return told


def _spell(row: Row) -> str:
    case = ", ".join(row[key] for key in ("cell", "network", "padding", "dtype"))
    return (
        f"{row['way']} ({case}): outputs {row['outputs']}, gradients {row['gradients']}"
    )


if __name__ == "__main__":
    main()
