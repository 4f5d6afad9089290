"""Compare every implementation of a recurrent layer with one reference.

    make equivalence
    python -m shared.studies.equivalence --steps 50 --units 32

Runs the same weights through the cells in NumPy, Keras' paths, the suite's compiled
loop, and, where they are installed, cuDNN, PyTorch and exported forms. Covers
SimpleRNN, LSTM and GRU; one layer, stacked and bidirectional; no mask, and masked
padding on either side. The reference is NumPy in float64. Writes the largest
differences to results/equivalence. Ends with status 1 if one exceeds its bound.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from shared.core.backend import import_keras
from shared.core.environment import PROJECT
from shared.core.errors import check_at_least
from shared.core.flags import one_line_errors, parse
from shared.studies.equivalence.cases import Sizes, list_cases
from shared.studies.equivalence.equivalence_table import (
    compare_all,
    format_row,
    show_table,
    write_table,
)

RESULTS = PROJECT / "results" / "equivalence"


@dataclass(frozen=True)
class Options:
    """Sizes of the cases, and the folder for the table."""

    sizes: tyro.conf.OmitArgPrefixes[Sizes] = Sizes()
    to: Path = RESULTS
    """Folder for the table."""

    def validate(self) -> None:
        """Refuse sizes that leave nothing to compare.

        Raises:
            UserError: With the flag and what it takes.
        """
        least = {"batch": 2, "steps": 2, "features": 1, "units": 1}
        check_at_least(self.sizes, least)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, compare, print and write. Exit status 1 if anything differs."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.studies.equivalence", __doc__)
        options.validate()
        options.to.mkdir(parents=True, exist_ok=True)  # fails early on a bad place
        import_keras()
        # TensorFlow warns when functions are traced again; here every case is new.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        rows = compare_all(list_cases(options.sizes), verbose=True)
        show_table(rows)
        write_table(rows, options.sizes, options.to)
    if wrong := [row for row in rows if row["state"] == "differs"]:
        for row in wrong:
            print(f"Differs: {format_row(row)}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
