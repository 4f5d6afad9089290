"""Export the network of a run, with what it reads and an example that runs it.

    make export RUN=imdb-gru ARGS="--format onnx"
    python -m shared.inference.export results/runs/imdb-gru/FOLDER --format litert

Takes a recipe name (its newest finished run) or a run folder. Writes the network,
manifest.json and example.py into the folder `exports/<format>` of the run. The example
needs nothing of this project. Before that, the exported network predicts the test
examples of the run. If one output differs by more than 1e-5, as a share of its size
where it is above 1, the command ends with status 2 and writes nothing.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import tyro

from shared.core.backend import import_keras, limit_threads, read_threads
from shared.core.errors import UserError
from shared.core.files import check_place, read_umask, write_text
from shared.core.flags import one_line_errors, parse
from shared.core.text import shorten
from shared.inference.predict import choose_run
from shared.runs.reader import RUNS, Run

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits

TOLERANCE = 1e-5  # of float32
BATCH = 64


@dataclass(frozen=True)
class Options:
    """Which run is exported, how and where to."""

    run: tyro.conf.Positional[str]
    """Recipe name or run folder."""
    format: Literal["keras", "savedmodel", "onnx", "litert"] = "keras"
    """keras: a file for plain Keras 3. savedmodel: a folder for TensorFlow. onnx: a
    file for ONNX Runtime. litert: a file for LiteRT, on phones and small devices."""
    quantize: Literal["none", "float16", "int8"] = "none"
    """Weights in fewer bits, for litert. The command says what accuracy they cost."""
    examples: int = 500
    """Test examples that both networks predict, at most."""
    data_dir: Path | None = None
    """Folder of the data file of the run, if it has moved."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path | None = None
    """Folder for the export; None: `exports/<format>` in the run folder. An earlier
    export there is replaced."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, export, compare and write. Exit status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.inference.export", __doc__)
        run = choose_run(options.run, options.results_dir)
        _check(options, run)
        target = options.to or run.path / "exports" / _name(options)
        if target.exists() and not (target / "manifest.json").is_file():
            raise UserError(
                f"--to {shorten(str(target))}: exists and is no export; name another."
            )
        check_place(target.parent)
        limit_threads(read_threads())
        import_keras()
        print(f"Run: {run.path}")
        hidden = Path(tempfile.mkdtemp(prefix=".export-", dir=target.parent))
        try:
            export_run(run, options, hidden)
            hidden.chmod(0o777 & ~read_umask())
            if target.exists():
                shutil.rmtree(target)
            hidden.rename(target)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        print(f"Saved {target}. Try it: python {target / 'example.py'}")


def export_run(run: Run, options: Options, folder: Path) -> dict[str, Any]:
    """Write network, manifest and example of a run into an empty folder.

    Returns:
        The manifest.

    Raises:
        UserError: If the network cannot be exported, or the export predicts otherwise.
    """
    from shared.inference.export import formats, interface
    from shared.inference.export.example_code import write_example
    from shared.inference.export.lookups import use_keras_lookups
    from shared.inference.export.plain import check_plain, make_plain
    from shared.inference.load_model import load_model
    from shared.inference.rebuild import rebuild_run

    form = formats.FORMATS[options.format]
    data = rebuild_run(run, options.data_dir).data
    model, network = load_model(run.path), load_model(run.path, restore=False)
    network = make_plain(network)
    if form.needs_plain:
        network = use_keras_lookups(network)
        check_plain(network)
    network.compile(loss=None)
    network(formats.one_or_all(interface.take_inputs(data.test, slice(0, 1))))
    found = interface.describe(run, data, network)
    path = folder / form.file
    formats.write(options.format, network, path, options.quantize)
    checked = _compare(options, data, model, form.load(path))
    manifest = {
        "recipe": run.recipe,
        "run": run.path.name,
        "data": run.data,
        "format": options.format,
        "quantize": options.quantize,
        "file": form.file,
        "bytes": _measure(path),
        "inputs": found.inputs,
        "output": found.output,
        "check": checked,
        "versions": _list_versions(form.packages),
    }
    for name, text in found.files.items():
        write_text(folder / name, text)
    text = json.dumps(manifest, ensure_ascii=False, indent=2)
    write_text(folder / "manifest.json", text + "\n")
    example = write_example(run.recipe, options.format, found.kind, found.inputs[0])
    write_text(folder / "example.py", example)
    print(f"{form.file}: {manifest['bytes']:,} bytes")
    return manifest


def _check(options: Options, run: Run) -> None:
    """Refuse what cannot be exported, before TensorFlow starts."""
    from shared.inference.export.formats import check_packages

    if options.quantize != "none" and options.format != "litert":
        raise UserError(
            f"--quantize {options.quantize}: is for --format litert only; omit it."
        )
    if options.examples < 1:
        raise UserError(f"--examples {options.examples}: takes 1 or more.")
    if (precision := run.settings.get("precision", "float32")) != "float32":
        raise UserError(
            f"{run.path}: was trained with --precision {precision}, and an export "
            "needs float32; train it again without the flag."
        )
    check_packages(options.format)


def _compare(
    options: Options, data: Splits, model: keras.Model, predict: Any
) -> dict[str, Any]:
    """Let both networks predict test examples, and say how far they differ.

    Raises:
        UserError: If they differ by more than rounding explains.
    """
    from shared.inference.export.formats import one_or_all
    from shared.inference.export.interface import take_inputs

    count = min(options.examples, len(data.test))
    ours, theirs = [], []
    for first in range(0, count, BATCH):
        inputs = take_inputs(data.test, slice(first, min(first + BATCH, count)))
        ours.append(np.asarray(model.predict_on_batch(one_or_all(inputs))))
        theirs.append(np.asarray(predict(inputs)))
    original, exported = np.concatenate(ours), np.concatenate(theirs)
    exported = exported.reshape(original.shape)
    size = np.maximum(1, np.abs(original))
    largest = float((np.abs(exported - original) / size).max())
    print(
        f"Compared on {count:,} test examples: the largest difference is {largest:.1e}"
    )
    checked = {"examples": count, "largest_difference": largest}
    if options.quantize != "none":
        return checked | _measure_cost(data, count, original, exported)
    if not largest <= TOLERANCE:
        raise UserError(
            f"--format {options.format}: an output differs by {largest:.1e} from the "
            f"original, and at most {TOLERANCE:g} is rounding; nothing was exported. "
            "Take another format."
        )
    return checked


def _measure_cost(
    data: Splits, count: int, original: np.ndarray, exported: np.ndarray
) -> dict[str, Any]:
    """Return the score of both networks on the test examples, and print it."""
    metric = data.task.score.metric
    targets = data.test.targets[slice(0, count)]
    if data.task.keeps_part:  # a writer: of each step, the chance of its token
        original, exported = (
            data.task.keep(targets, outputs) for outputs in (original, exported)
        )
    if np.ndim(targets) == 1 and original.shape[1:] == (1,):
        original, exported = original[:, 0], exported[:, 0]
    before, after = (
        float(np.mean(data.task.measure(metric, targets, outputs)))
        for outputs in (original, exported)
    )
    print(f"test {metric}: {before:.5g} before, {after:.5g} with fewer bits")
    return {"metric": metric, "original": before, "exported": after}


def _measure(path: Path) -> int:
    """Return the bytes of a file or of all files of a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(one.stat().st_size for one in files if one.is_file())


def _list_versions(packages: Sequence[str]) -> dict[str, str]:
    import importlib.metadata

    names = ("keras", "tensorflow", *(name.replace("_", "-") for name in packages))
    return {name: importlib.metadata.version(name) for name in names}


def _name(options: Options) -> str:
    if options.quantize == "none":
        return options.format
    return f"{options.format}-{options.quantize}"


if __name__ == "__main__":
    main()
