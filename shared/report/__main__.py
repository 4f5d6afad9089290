"""One HTML page of all saved runs: tables, curves, verdicts, pictures. Opens offline.

    make report
    make report ARGS=--watch          # serves it and follows what trains; Ctrl-C ends
    python -m shared.report --tensorboard

Shows the runs in --results-dir, the published runs in --reference and the sweeps in
--sweeps, and writes results/report.html. Reads saved files only.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.core.environment import PROJECT
from shared.core.errors import UserError
from shared.core.files import write_text
from shared.core.flags import one_line_errors, parse
from shared.report.matrix import VerdictCache
from shared.report.published import OWN, REFERENCE
from shared.report.saved_page import read_page
from shared.runs.reader import RUNS


@dataclass(frozen=True)
class Options:
    """What to show, and how."""

    results_dir: Path = RUNS
    """Folder of all runs."""
    reference: Path = PROJECT / "results" / "reference"
    """Folder of the published runs, which are shown too."""
    sweeps: Path | None = None
    """Folder of all sweeps; None: `sweeps`, next to the folder of all runs."""
    to: Path = PROJECT / "results" / "report.html"
    """The page."""
    verdicts: bool = True
    """Say which is better, with an interval; takes a moment for each pair."""
    watch: bool = False
    """Serve the page on 127.0.0.1 and update it when a run changes; write no file."""
    port: int = 8765
    """Port of --watch; 0 takes any free one."""
    tensorboard: bool = False
    """Also write the curves for TensorBoard to `tensorboard`, next to the page."""

    def validate(self) -> None:
        """Check the flags.

        Raises:
            UserError: With the flag and the accepted values.
        """
        if not 0 <= self.port <= 65535:
            raise UserError(f"--port {self.port}: takes 0 to 65535, e.g. 8765.")
        if self.to.is_dir():
            raise UserError(f"--to {self.to}: is a folder. Name a file in it.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, then write or serve the page. Status 2 after a bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.report", __doc__)
        options.validate()
        if not options.watch:
            options.to.parent.mkdir(parents=True, exist_ok=True)  # fails early
        sweeps = options.sweeps or options.results_dir.parent / "sweeps"
        folders = {OWN: options.results_dir, REFERENCE: options.reference}
        published = options.reference if options.verdicts else None
        if options.tensorboard:
            from shared.report.collect import find_groups
            from shared.report.events import write_events

            groups, _ = find_groups(folders)
            runs = [run for _, group in groups for run in group.runs]
            folder = options.to.parent / "tensorboard"
            write_events(runs, folder)
            print(f"Saved {folder}; show it with: tensorboard --logdir {folder}")
        if options.watch:
            from shared.report.serve import serve

            serve(folders, published and VerdictCache(published), options.port, sweeps)
            return
        page = read_page(folders, published, sweeps)
        write_text(options.to, page)
        print(f"Saved {options.to} ({len(page.encode()) / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
