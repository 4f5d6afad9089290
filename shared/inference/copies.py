"""The longest run of characters that two texts have in common."""

from __future__ import annotations

import numpy as np

MULTIPLIER = 6364136223846793005  # of Knuth's generator MMIX; odd
SIZE = 1 << 64
CHUNK = 1 << 22  # characters that are hashed at a time


def find_longest_copy(text: str, source: str) -> str:
    """Return the longest run of a text that stands in a source; the first of several.

    A hash of each run of n characters finds candidates, and the source itself decides.
    If a run of n characters stands there, so do its parts. So the length is found by
    bisection.

    Args:
        text: Some thousand characters.
        source: Of any length.
    """
    found, low, high = "", 0, len(text)
    while low < high:
        length = (low + high + 1) // 2
        if run := _find_run(text, source, length):
            found, low = run, length
        else:
            high = length - 1
    return found


def _find_run(text: str, source: str, length: int) -> str:
    """Return the first run of this length that stands in the source, or nothing."""
    wanted = _hash_runs(text, length)
    ordered = np.unique(wanted)
    present = np.zeros(len(wanted), bool)
    for start in range(0, max(len(source) - length + 1, 0), CHUNK):
        part = source[start : start + CHUNK + length - 1]
        hashes = _hash_runs(part, length)
        places = np.searchsorted(ordered, hashes).clip(max=len(ordered) - 1)
        found = np.unique(hashes[ordered[places] == hashes])
        present |= np.isin(wanted, found)
    for place in np.flatnonzero(present).tolist():
        run = text[place : place + length]
        if run in source:
            return run
    return ""


def _hash_runs(text: str, length: int) -> np.ndarray:
    """Return a hash of each run of some characters, uint64, (num_runs,)."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    if len(codes) < length:
        return np.empty(0, np.uint64)
    # Horner's rule for all runs at once, over the bits of the length.
    hashes, width = codes.astype(np.uint64) + np.uint64(1), 1
    result, done = np.zeros(len(codes) + 1, np.uint64), 0
    power = MULTIPLIER
    while length:
        if length & 1:
            # The run so far, then a run of `width` more.
            usable = len(hashes) - done
            result = result[:usable] * np.uint64(power) + hashes[done : done + usable]
            done += width
        length >>= 1
        if length:
            hashes = hashes[:-width] * np.uint64(power) + hashes[width:]
            power, width = power * power % SIZE, 2 * width
    return result
