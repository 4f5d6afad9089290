"""One HTML page of all saved runs: tables, curves, verdicts, pictures. Opens offline.

    make report
    make report ARGS=--watch          # serves it and follows what trains; Ctrl-C ends
    python -m shared.report --tensorboard

Shows the runs below --results-dir and the committed ones below --reference, and writes
results/report.html. Reads run folders only.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.environment import PROJECT
from shared.errors import UserError
from shared.files import write_text
from shared.flags import one_line_errors, parse
from shared.runs import RUNS


@dataclass(frozen=True)
class Options:
    """What to show, and how."""

    results_dir: Path = RUNS
    """Folder of all runs."""
    reference: Path = PROJECT / "results" / "reference"
    """Folder of the runs to show beside them."""
    to: Path = PROJECT / "results" / "report.html"
    """The page."""
    verdicts: bool = True
    """Say which is better and how sure that is; takes a moment for each pair."""
    watch: bool = False
    """Write nothing, but serve the page on 127.0.0.1, anew whenever a run changes."""
    port: int = 8765
    """With --watch: where; 0 takes any that is free."""
    tensorboard: bool = False
    """Write the curves for TensorBoard too, to the folder `tensorboard` beside it."""

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: With the flag, what it takes and the way out.
        """
        if not 0 <= self.port <= 65535:
            raise UserError(f"--port {self.port}: takes 0 to 65535.")
        if self.to.is_dir():
            raise UserError(f"--to {self.to}: is a folder; name a file in it.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, then write or serve the page. Status 2 after a bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.report", __doc__)
        options.check()
        if not options.watch:
            options.to.parent.mkdir(parents=True, exist_ok=True)  # tells a bad place
        from shared.report.collect import OWN, find_groups
        from shared.report.matrix import REFERENCE, Judge
        from shared.report.render import build_page

        folders = {OWN: options.results_dir, REFERENCE: options.reference}
        judge = Judge(options.reference) if options.verdicts else None
        if options.tensorboard:
            from shared.report.events import write_events

            groups, _ = find_groups(folders)
            runs = [run for _, group in groups for run in group.runs]
            folder = options.to.parent / "tensorboard"
            write_events(runs, folder)
            print(f"Saved {folder}; show it with: tensorboard --logdir {folder}")
        if options.watch:
            from shared.report.serve import serve

            serve(folders, judge, options.port)
            return
        page = build_page(folders, judge)
        write_text(options.to, page)
        print(f"Saved {options.to} ({len(page.encode()) / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
