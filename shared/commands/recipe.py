"""From the command line to a run: flags, checks, errors, and the end of a run."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from shared.commands.fine_tune import find_source, name_run, read_weights
from shared.commands.options import RunOptions, parse_recipe
from shared.commands.resume import carry_on, check_settings, list_resumed_changes
from shared.core.backend import (
    import_keras,
    limit_threads,
    read_threads,
    set_up_numbers,
)
from shared.core.errors import UserError
from shared.core.files import check_place
from shared.core.flags import (
    drop_flags,
    list_changes,
    one_line_errors,
    resolve_config,
)
from shared.core.roles import read_settings
from shared.core.signals import (
    INTERRUPTED,
    PrunedError,
    end_with_parent,
    kill_as_interrupt,
)
from shared.core.waiting import say_while
from shared.runs.reader import RUNS

if TYPE_CHECKING:
    from shared.runs.lineage import Start
    from shared.runs.reader import Run
    from shared.runs.writer import RunFolder

Config = TypeVar("Config")
STARTS_IN = 5  # seconds that TensorFlow usually takes to start


def main(
    config_type: type[Config],
    run: Callable[[Config, Any], None],
    arguments: Sequence[str] | None = None,
) -> None:
    """Parse the flags of a recipe, run it, and leave a complete folder.

    The process ends with status 2 after a bad input (one line on stderr), and with
    status 130 after Ctrl-C or a kill that it can catch.

    Args:
        config_type: The recipe's frozen dataclass; nested dataclasses become groups
            of flags without a prefix.
        run: The recipe's `run(config, folder)`.
        arguments: Flags; None takes the arguments of the process.
    """
    path = Path(inspect.getfile(run))
    recipe = path.stem.replace("_", "-")
    description = inspect.getdoc(inspect.getmodule(run)) or ""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    command = shlex.join(["python", f"recipes/{path.name}", *flags])
    with one_line_errors("--results-dir"):
        end_with_parent()
        typed, options = parse_recipe(config_type, flags, path.name, description)
        options.validate()
        if options.seeds is not None and drop_flags(flags, ["--seed"]) != flags:
            raise UserError("--seed with --seeds: omit one of the two.")
        limit_threads(options.threads or read_threads())
        start = source = None
        if options.resume is not None:
            typed, start = carry_on(
                recipe,
                options.resume,
                config_type(),
                lambda usual: parse_recipe(config_type, flags, path.name, "", usual)[0],
            )
        else:
            typed, source = find_source(typed, options.results_dir or RUNS)
        if options.seeds is None and not options.kernels:
            from shared.kernels.choice import prepare_kernel

            prepare_kernel(typed)
        with say_while("Starting TensorFlow", after=STARTS_IN):
            config = resolve_config(typed)
        if options.kernels:
            from shared.kernels.table import show_kernels

            show_kernels(typed)
            return
        changed = list_changes(typed, config_type())
        if start is not None:
            check_settings(config, start)
            changed = list_resumed_changes(config, config_type(), start.parent)
        check_place(options.results_dir or RUNS)
        if options.seeds is not None:
            if options.workers > 1 and changed.get("kernel") == "auto":
                raise UserError(
                    f"--kernel auto with --workers {options.workers}: several "
                    "trainings at a time would disturb the measurement. Name a kernel, "
                    "or omit --workers."
                )
            from shared.sweeps.data_files import find_data_file

            if source is not None:  # its newest run may become one of these
                changed["from_run"] = name_run(source)
            file = find_data_file(config)
            _run_seeds(recipe, changed, file and file.identity, options)
            return
        run_to_the_end(
            recipe, config, run, changed, command, options.results_dir,
            start, source, options.checkpoint_every, options.score_test,
        )  # fmt: skip


def run_to_the_end(
    recipe: str,
    config: Any,
    run: Callable[[Any, Any], None],
    changed: dict[str, Any],
    command: str,
    results_dir: Path | None = None,
    start: Start | None = None,
    source: Run | None = None,
    checkpoint_every: int | None = None,
    scores_test: bool = True,
) -> Path:
    """Train once, draw the pictures, and print the results.

    Args:
        recipe: Name with dashes.
        config: The recipe's config, resolved.
        run: The recipe's `run(config, folder)`.
        changed: The flags that differ from the recipe's defaults.
        command: The command line, for the record.
        results_dir: Folder of all runs; None is results/runs of the project.
        start: Where an earlier run goes on; None begins with epoch 1.
        source: The run whose weights are the first ones; None draws them.
        checkpoint_every: Epochs between two checkpoints; None decides by their time.
        scores_test: Whether the test set is scored at the end.

    Returns:
        The run folder.

    Raises:
        UserError: On what only the data or the model show.
        SystemExit: After Ctrl-C, with status 130.
    """
    from shared.kernels.choice import use_available_kernel
    from shared.runs.writer import RunFolder

    with say_while("Starting TensorFlow", after=STARTS_IN):
        import_keras()
    set_up_numbers(read_settings(config).values.get("precision", "float32"))
    config = use_available_kernel(config)
    settings = read_settings(config)
    if start is None:
        changed = {name: settings.values[name] for name in changed}
    root = results_dir or RUNS
    if source is not None:
        start = read_weights(source)
    folder = RunFolder(
        recipe, settings, changed, command, root, start, checkpoint_every
    )
    folder.scores_test = scores_test
    try:
        _train_and_show(config, run, folder)
    finally:
        folder.release()  # only now may `make runs` remove the run
    return folder.path


def _train_and_show(
    config: Any, run: Callable[[Any, Any], None], folder: RunFolder
) -> None:
    try:
        with kill_as_interrupt():
            run(config, folder)
    except (KeyboardInterrupt, BrokenPipeError):  # a lost parent reads no output
        folder.close("interrupted", "Stopped by Ctrl-C or a kill.")
        _show(folder)
        sys.exit(INTERRUPTED)
    except PrunedError:
        note = (
            f"Pruned after epoch {folder.summary['epochs']}: other trials are better."
        )
        folder.close("interrupted", note, pruned=True)
        print(f"  {note}\nSaved in {folder.path}", flush=True)
        return
    except BaseException as error:
        folder.close("failed", f"{type(error).__name__}: {error}")
        raise
    _show(folder)


def _list_run_flags(options: RunOptions) -> list[str]:
    """Return the flags of every training that are no settings of the recipe."""
    flags = [] if options.score_test else ["--no-score-test"]
    if options.checkpoint_every is not None:
        flags += ["--checkpoint-every", str(options.checkpoint_every)]
    return flags


def _run_seeds(
    recipe: str, changed: dict[str, Any], sha256: str | None, options: RunOptions
) -> None:
    """Train the seeds that have no run yet, and print the results together."""
    from shared.compare.comparison import show_groups
    from shared.runs.groups import group_runs
    from shared.sweeps.seeds import parse_seeds
    from shared.sweeps.trial import Trial
    from shared.sweeps.trials import TrialIndex, train_trials

    changed = {name: value for name, value in changed.items() if name != "seed"}
    trials = [
        Trial(recipe, changed, seed, f"seed {seed}", sha256, options.score_test)
        for seed in parse_seeds(options.seeds)
    ]
    index = TrialIndex(options.results_dir or RUNS)
    missing = [trial for trial in trials if index.find(trial) is None]
    if len(missing) < len(trials):
        done = [str(trial.seed) for trial in trials if trial not in missing]
        print(f"Trained already, so not trained again: seed {', '.join(done)}.")
    threads = options.threads or read_threads()
    try:
        with kill_as_interrupt():
            failed = train_trials(
                missing, index.results_dir, options.workers, threads, every_epoch=True,
                extra=_list_run_flags(options),
            )  # fmt: skip
    except KeyboardInterrupt:
        print("Interrupted. Every run that had started has its own folder.")
        sys.exit(INTERRUPTED)
    for worker in failed:
        last = worker.tail[-1] if worker.tail else "(it printed nothing)"
        print(
            f"seed {worker.seed} stopped with status {worker.status}: {last}",
            file=sys.stderr,
        )
    index.read()
    runs = [run for run in map(index.find, trials) if run is not None and run.history]
    if runs:
        show_groups(group_runs(runs))
    if failed:
        sys.exit(2 if all(worker.status == 2 for worker in failed) else 1)


def _show(folder: Any) -> None:
    """Draw the pictures of a run and print its results."""
    from shared.commands.next_steps import list_next_steps
    from shared.plots.run_figures import draw_run
    from shared.runs.reader import find_runs, read_run
    from shared.runs.terminal import show_run

    if folder.path is None:
        print("\nInterrupted before training. No folder was written.")
        return
    run = read_run(folder.path)
    with say_while("Drawing the curves"):
        for name, figure in draw_run(run):
            folder.write_figure(name, figure)
    show_run(run, find_runs(folder.root, folder.recipe))
    for line in list_next_steps(run, folder.root):
        print(line)
