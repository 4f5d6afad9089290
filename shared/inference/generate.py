"""Let a trained writer write on: the text appears as it is written.

    make generate RUN=writer-gru ARGS="--prompt 'ROMEO:' --temperature 0.8"
    python -m shared.inference.generate results/runs/writer-gru/FOLDER --length 1000

Takes a recipe name (its newest finished run) or a run folder, of a writer or a vowel
recipe. The same seed gives the same text. The last line says how much of it stands in
the training text word for word.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import tyro

from shared.core.backend import (
    import_keras,
    limit_threads,
    read_threads,
    set_up_numbers,
)
from shared.core.errors import UserError, check_at_least
from shared.core.files import check_place, write_text
from shared.core.flags import one_line_errors, parse
from shared.core.text import shorten
from shared.data.generated.vowels import (
    VOWELS,
    VowelsConfig,
    encode,
    format_vowels,
    make_source,
)
from shared.data.text.vocabulary import FIRST_TOKEN, Vocabulary
from shared.data.writing.config import WritingConfig
from shared.data.writing.pieces import take_start
from shared.data.writing.source import read_source
from shared.inference.copies import find_longest_copy
from shared.inference.load_model import load_model
from shared.inference.parts import list_parts, restore_part
from shared.inference.predict import choose_run
from shared.inference.sampling import Sampling
from shared.inference.text_run import VOCABULARY
from shared.inference.token_readers import StateReader, WindowReader
from shared.inference.writing import TextWriter, describe_copy
from shared.runs.reader import RUNS, Run


@dataclass(frozen=True)
class Options:
    """Which run writes what."""

    run: tyro.conf.Positional[str]
    """Recipe name or run folder."""
    prompt: str = ""
    """Text to write on. Omit it to start on a new line."""
    temperature: float = 0.8
    """1: as the network expects. Below 1: safer, above: bolder. 0: always the likeliest
    token."""
    top_p: float = 1.0
    """Draw only from the likeliest tokens that together have this probability, above 0
    and at most 1."""
    length: int = 400
    """Tokens to write, 1 or more."""
    seed: int = 0
    """Sets the draws, 0 to 2^32 - 1."""
    stop: str | None = None
    """End before this text is written."""
    to: Path | None = None
    """File for the text, too."""
    results_dir: Path = RUNS
    """Folder of all runs."""

    def validate(self) -> None:
        """Refuse what cannot be written.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        check_at_least(self, {"length": 1})
        if not 0 <= self.seed < 2**32:
            raise UserError(
                f"--seed {self.seed}: takes a whole number from 0 to 2^32 - 1, e.g. 1."
            )
        if self.stop == "":
            raise UserError(
                "--stop '': is empty; name a text, e.g. --stop . or omit it."
            )
        if self.to is not None and self.to.is_dir():
            raise UserError(f"--to {shorten(str(self.to))}: is a folder; name a file.")
        self.sampling.validate()

    @property
    def sampling(self) -> Sampling:
        """How tokens are drawn."""
        return Sampling(self.temperature, self.top_p)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, write, and check what is copied. Exit status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.inference.generate", __doc__)
        options.validate()
        run = choose_run(options.run, options.results_dir)
        prepare = find_preparation(run)
        if options.to is not None:
            check_place(options.to.parent)
        limit_threads(read_threads())
        import_keras()
        set_up_numbers(run.settings.get("precision", "float32"))
        writer, prompt = prepare(run, options)
        written = writer.write(prompt, options.sampling, options.seed)
        pieces = stop_before(islice(written, options.length), options.stop)
        first = next(pieces, "")  # refuses the prompt before anything is printed
        print(f"Run: {run.path}\n\n{prompt}{first}", end="", flush=True)
        text = first
        for piece in pieces:
            text += piece
            print(piece, end="", flush=True)
        print("\n")
        if options.to is not None:
            write_text(options.to, prompt + text + "\n")
            print(f"Saved {options.to}")
        print(check_copies(run, text))


def find_preparation(run: Run) -> Callable[[Run, Options], tuple[TextWriter, str]]:
    """Return the function that loads the writer of a run, and chooses the prompt.

    Raises:
        UserError: If the run writes no text.
    """
    preparations = {WritingConfig: _prepare_writer, VowelsConfig: _prepare_vowels}
    for kind in list_parts(run):
        if kind in preparations:
            return preparations[kind]
    raise UserError(
        f"{run.path}: {run.recipe} writes no text; generate works with runs of "
        "writer-gru, writer-lstm, vowel-gru and recipes copied from them."
    )


def stop_before(pieces: Iterator[str], stop: str | None) -> Iterator[str]:
    """Yield the pieces of a text up to the first place where `stop` stands.

    What may be the start of `stop` is held back until it is known.
    """
    if stop is None:
        yield from pieces
        return
    held = ""
    for piece in pieces:
        held += piece
        if (place := held.find(stop)) >= 0:
            yield held[:place]
            return
        kept = next(
            k for k in range(min(len(stop), len(held)), -1, -1)
            if held.endswith(stop[:k])
        )  # fmt: skip
        if kept < len(held):
            yield held[: len(held) - kept]
            held = held[len(held) - kept :]
    yield held


def check_copies(run: Run, text: str) -> str:
    """Return in a sentence how much of a text stands in the training text."""
    if WritingConfig not in list_parts(run):
        return "The training text was generated, so no copies are looked for."
    config = restore_part(run, WritingConfig)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            source = read_source(config)
    except UserError as error:
        return f"Not checked for copies, since the training text is missing: {error}"
    if source.facts["sha256"] != run.data_hash:
        return "Not checked for copies: the training text has changed since."
    stop = run.config["data_facts"]["writing"]["stops"][0]
    training = take_start(source.text[: config.limit], config.tokens, stop)
    return f"Copies: {describe_copy(find_longest_copy(text, training))}."


def _prepare_writer(run: Run, options: Options) -> tuple[TextWriter, str]:
    config = restore_part(run, WritingConfig)
    try:
        content = (run.path / VOCABULARY).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{run.path / VOCABULARY}: cannot be read ({shorten(reason, 80)}); train "
            "the run again."
        ) from None
    vocabulary = Vocabulary.from_text(content)
    facts = run.config["data_facts"].get("writing", {})
    if vocabulary.sha256 != facts.get("vocabulary_sha256"):
        raise UserError(
            f"{run.path / VOCABULARY}: is not that of the training; train the run "
            "again."
        )
    model = load_model(run.path)
    return TextWriter(vocabulary, config.tokens, StateReader(model)), options.prompt


def _prepare_vowels(run: Run, options: Options) -> tuple[TextWriter, str]:
    """Return a writer of vowels. Without a prompt, it goes on from the source."""
    config = restore_part(run, VowelsConfig)
    prompt = options.prompt
    if not prompt:
        random = np.random.default_rng([options.seed, 0x3717])
        prompt = format_vowels(make_source(config).draw(config.lookback, random))
    if len(prompt) < config.lookback:
        raise UserError(
            f"--prompt {prompt!r}: this network reads {config.lookback} vowels at a "
            "time; name at least as many, or omit the flag."
        )
    window = np.zeros((1, config.lookback), np.int64)
    reader = WindowReader(load_model(run.path), window, encode, FIRST_TOKEN)
    return TextWriter(Vocabulary(tuple(VOWELS)), "characters", reader), prompt


if __name__ == "__main__":
    main()
