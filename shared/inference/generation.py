"""Let a trained network read its own output, and record what it generates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.data.generated.sine import SineConfig, start_free_run
from shared.data.generated.vowels import (
    VOWELS,
    VowelsConfig,
    VowelSource,
    encode,
    format_vowels,
    make_source,
    parse_vowels,
)
from shared.data.splits import Splits
from shared.inference.sampling import Sampling, draw_tokens
from shared.inference.token_readers import WindowReader

if TYPE_CHECKING:
    import keras

    from shared.runs.writer import RunFolder

FREE_RUN_PERIODS, FEWEST_STEPS, MOST_STEPS = 2, 20, 2_000
NUM_TEXTS, TEXT_LENGTH = 100, 200  # generated side by side, 20,000 vowels in all
LONGEST_NGRAM = 4


def write_free_run(
    model: keras.Model, sine: SineConfig, seed: int, folder: RunFolder
) -> None:
    """Forecast two periods from one noisy window. Each output becomes an input.

    The forecast has 20 to 2,000 samples, however short or long a period is.

    Writes `free_run.csv`: `sample` (0 is the first forecast), `clean`, `read`,
    `forecast`.

    Args:
        model: Windows (batch, lookback, 1) -> next sample (batch, 1).
        sine: With a delay of 1.
        seed: Sets the noise on the window.
        folder: Still open.
    """
    steps = round(FREE_RUN_PERIODS * 2 * np.pi / sine.rate)
    steps = min(max(steps, FEWEST_STEPS), MOST_STEPS)
    window, clean = start_free_run(sine, seed, steps)
    forecast = run_freely(model, window, steps)
    lookback = sine.lookback
    rows = [
        {
            "sample": k - lookback,
            "clean": np.sin(sine.rate * k),
            "read": window[k],
            "forecast": "",
        }
        for k in range(lookback)
    ]
    rows += [
        {"sample": k, "clean": clean[k], "read": "", "forecast": forecast[k]}
        for k in range(steps)
    ]
    folder.write_table("free_run", rows)
    error = float(np.mean((forecast - clean) ** 2))
    print(
        f"Free run over {steps} samples: mean squared error {error:.3f} from the clean "
        f"sine (a forecast of 0 has {np.mean(clean**2):.3f})"
    )


def run_freely(model: keras.Model, window: np.ndarray, steps: int) -> np.ndarray:
    """Return a forecast that reads its own output, float64, (steps,).

    Args:
        model: Windows (batch, lookback, 1) -> next sample (batch, 1).
        window: (lookback,): the samples at the start.
        steps: Number of samples to forecast.
    """
    samples = list(window)
    for _ in range(steps):
        latest = np.array(samples[-len(window) :], np.float32)[None, :, None]
        samples.append(float(model.predict_on_batch(latest)[0, 0]))
    return np.array(samples[len(window) :])


def write_vowels(
    model: keras.Model,
    data: Splits,
    vowels: VowelsConfig,
    contexts: tuple[str, ...],
    seed: int,
    folder: RunFolder,
) -> None:
    """Print what the network expects after some contexts, and let it write a text.

    `next_vowel.csv` has the probability of the network and of the source for each
    context and vowel. `generated.txt` has 100 texts with 20,000 vowels. `ngrams.csv`
    has for each n the total variation distance of the text's n-grams from those of the
    source. It also has the distance of as many vowels drawn from the source, which is
    due to chance.

    Args:
        model: Windows (batch, lookback, 5) -> probabilities (batch, 5).
        data: Texts start from windows of its test part.
        vowels: The source.
        contexts: Texts of vowels, at least as long as the source's order.
        seed: Sets the draws.
        folder: Still open.
    """
    source = make_source(vowels)
    windows = data.test.inputs
    rows = []
    for context in contexts:
        rows += _compare_next(model, source, windows, context)
        if not rows or rows[-1]["context"] != context:
            print(f"{context} does not occur in the test text.")
    if rows:
        folder.write_table("next_vowel", rows)
        _print_next(rows)
    random = np.random.default_rng([seed, 0x7E87])
    texts = write_texts(model, windows, random)
    folder.write_text("generated", "\n".join(map(format_vowels, texts)) + "\n")
    drawn = [source.draw(TEXT_LENGTH, random) for _ in range(NUM_TEXTS)]
    rows = [
        {
            "n": n,
            "generated": ngram_distance(texts, source, n),
            "drawn from the source": ngram_distance(np.array(drawn), source, n),
        }
        for n in range(1, LONGEST_NGRAM + 1)
    ]
    folder.write_table("ngrams", rows)
    print(
        f"Generated {texts.size:,} vowels ({format_vowels(texts[0][:40])}...). "
        "Distance of their n-grams from the source's (0: the same, 1: nothing in "
        "common):"
    )
    for row in rows:
        print(
            f"  {row['n']}-grams {row['generated']:.3f}; a text of the same length "
            f"from the source {row['drawn from the source']:.3f}"
        )


def write_texts(
    model: keras.Model, windows: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Draw texts from the network, int64 (100, 200). Each vowel becomes an input.

    Args:
        model: Windows (batch, lookback, 5) -> probabilities (batch, 5).
        windows: (num_windows, lookback, 5): the texts start from some of them.
        random: Sets all draws.
    """
    starts = random.integers(0, len(windows), NUM_TEXTS)
    window = windows[starts].argmax(axis=-1)
    reader = WindowReader(model, np.roll(window, 1, axis=1), encode)
    texts = np.empty((NUM_TEXTS, TEXT_LENGTH), np.int64)
    latest = window[:, -1]
    for step in range(TEXT_LENGTH):
        latest = draw_tokens(reader.read(latest), Sampling(), random)
        texts[:, step] = latest
    return texts


def ngram_distance(texts: np.ndarray, source: VowelSource, n: int) -> float:
    """Return the total variation distance between n-gram shares, 0 to 1.

    Args:
        texts: int, (num_texts, length). No n-gram spans two texts.
        source: Its shares are exact.
        n: Length of the n-grams.
    """
    grams = np.lib.stride_tricks.sliding_window_view(texts, n, axis=1).reshape(-1, n)
    counts = np.zeros((len(VOWELS),) * n)
    np.add.at(counts, tuple(grams.T), 1)
    return float(0.5 * np.abs(counts / len(grams) - source.ngram_shares(n)).sum())


def _compare_next(
    model: keras.Model, source: VowelSource, windows: np.ndarray, context: str
) -> list[dict[str, Any]]:
    """Average the network's probabilities over the windows that end in a context.

    Returns:
        A row per vowel; none if no window ends in the context.
    """
    ending = parse_vowels(context)
    read = min(len(ending), windows.shape[1])
    vowels = windows.argmax(axis=-1)[:, -read:]
    found = windows[(vowels == ending[-read:]).all(axis=1)]
    if not len(found):
        return []  # rare in this language, or a short test text
    shares = np.asarray(model.predict(found, verbose=0)).mean(axis=0)
    truth = source.predict(ending[None])[0] if len(ending) >= source.order else None
    return [
        {
            "context": context,
            "windows": len(found),
            "next": vowel,
            "network": round(float(shares[k]), 4),
            "source": "" if truth is None else round(float(truth[k]), 4),
        }
        for k, vowel in enumerate(VOWELS)
    ]


def _print_next(rows: list[dict[str, Any]]) -> None:
    print("What comes next (network / source)")
    for context in dict.fromkeys(row["context"] for row in rows):
        parts = [
            f"{row['next']} {row['network']:.2f} / "
            + (f"{row['source']:.2f}" if row["source"] != "" else "-")
            for row in rows
            if row["context"] == context
        ]
        print(f"  after {context}: {', '.join(parts)}")
