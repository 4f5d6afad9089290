"""Let a trained network go on by itself, and write down what it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.data.sine import SineConfig, start_free_run
from shared.data.splits import Splits
from shared.data.vowels import (
    VOWELS,
    VowelsConfig,
    VowelSource,
    encode,
    make_source,
    parse,
    spell,
)

if TYPE_CHECKING:
    import keras

    from shared.run_folder import RunFolder

FREE_RUN_PERIODS, FEWEST_STEPS, MOST_STEPS = 2, 20, 2_000
NUM_TEXTS, TEXT_LENGTH = 100, 200  # generated side by side, 20,000 vowels in all
LONGEST_NGRAM = 4


def write_free_run(
    model: keras.Model, sine: SineConfig, seed: int, folder: RunFolder
) -> None:
    """Forecast two periods from one noisy window, each output fed back as input.

    At least 20 samples and at most 2,000, however short or long a period is.

    Writes `free_run.csv`: `sample` (0 is the first one forecast), `clean`, `read`,
    `forecast`.

    Args:
        model: Windows (batch, lookback, 1) -> next sample (batch, 1).
        sine: With a delay of 1.
        seed: Decides the noise on the window.
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
        f"Running freely over {steps} samples: mean squared error {error:.3f} against "
        f"the clean sine (predicting 0 gives {np.mean(clean**2):.3f})"
    )


def run_freely(model: keras.Model, window: np.ndarray, steps: int) -> np.ndarray:
    """Return a forecast that feeds on itself, float64, (steps,).

    Args:
        model: Windows (batch, lookback, 1) -> next sample (batch, 1).
        window: (lookback,): the samples it starts from.
        steps: How many to forecast.
    """
    samples = list(window)
    for _ in range(steps):
        latest = np.array(samples[-len(window) :], np.float32)[None, :, None]
        samples.append(float(model.predict_on_batch(latest)[0, 0]))
    return np.array(samples[len(window) :])


def write_vowels(
    model: keras.Model,
    splits: Splits,
    vowels: VowelsConfig,
    contexts: tuple[str, ...],
    seed: int,
    folder: RunFolder,
) -> None:
    """Tell what the network expects after some contexts, and let it write.

    Writes `next_vowel.csv` (per context and vowel the network's probability and the
    source's), `generated.txt` (20,000 vowels, 100 texts), and `ngrams.csv`: per n the
    total variation distance of the text's n-grams from the source's, beside that of
    as many vowels drawn from the source itself, which is what chance alone makes.

    Args:
        model: Windows (batch, lookback, 5) -> probabilities (batch, 5).
        splits: Windows to start from are taken from its test part.
        vowels: The source.
        contexts: Texts of vowels, at least as long as the source's order.
        seed: Decides the draws.
        folder: Still open.
    """
    source = make_source(vowels)
    windows = splits.test.inputs
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
    folder.write_text("generated", "\n".join(spell(text) for text in texts) + "\n")
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
        f"Generated {texts.size:,} vowels ({spell(texts[0][:40])}...). Distance of "
        "their n-grams from the source's (0 the same, 1 nothing in common):"
    )
    for row in rows:
        print(
            f"  {row['n']}-grams {row['generated']:.3f}, of as long a text of the "
            f"source {row['drawn from the source']:.3f}"
        )


def write_texts(
    model: keras.Model, windows: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Draw texts from the network, each vowel fed back, int64 (100, 200).

    Args:
        model: Windows (batch, lookback, 5) -> probabilities (batch, 5).
        windows: (num_windows, lookback, 5): where texts start from.
        random: Decides all draws.
    """
    starts = random.integers(0, len(windows), NUM_TEXTS)
    latest = windows[starts].copy()
    texts = np.empty((NUM_TEXTS, TEXT_LENGTH), np.int64)
    for step in range(TEXT_LENGTH):
        shares = np.asarray(model.predict_on_batch(latest), np.float64)
        bounds = np.cumsum(shares, axis=1)
        points = random.random((NUM_TEXTS, 1)) * bounds[:, -1:]
        texts[:, step] = (points >= bounds[:, :-1]).sum(axis=1)
        latest = np.concatenate([latest[:, 1:], encode(texts[:, step, None])], axis=1)
    return texts


def ngram_distance(texts: np.ndarray, source: VowelSource, n: int) -> float:
    """Return the total variation distance between n-gram shares, 0 to 1.

    Args:
        texts: int, (num_texts, length); no n-gram reaches from one to the next.
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
        A row per vowel; none if no window ends so.
    """
    ending = parse(context)
    read = min(len(ending), windows.shape[1])
    vowels = windows.argmax(axis=-1)[:, -read:]
    found = windows[(vowels == ending[-read:]).all(axis=1)]
    if not len(found):
        return []  # rare in this language, or the test text is short
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
        told = [
            f"{row['next']} {row['network']:.2f} / "
            + (f"{row['source']:.2f}" if row["source"] != "" else "-")
            for row in rows
            if row["context"] == context
        ]
        print(f"  after {context}: {', '.join(told)}")
