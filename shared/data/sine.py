"""A noisy sine, cut into windows: what comes next is known, and how well it can be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.data.splits import Examples, Splits
from shared.errors import UserError, check_at_least, spell_flag

MIN_PHASES, MAX_PHASES = 1_024, 65_536  # of the grid for the posterior
MIN_PERIODS = 5  # of every part of a running series
PLACES = 64  # of a period, that every long part has to visit
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class SineConfig:
    """sin(frequency * t) plus noise, and which sample of it is to be predicted."""

    frequency: float
    """Radians per unit of t."""
    time_step: float
    """Units of t from one sample to the next."""
    noise: float
    """Standard deviation of the Gaussian noise on every sample."""
    lookback: int
    """Samples the network reads."""
    delay: int
    """Samples from the last one read to the one predicted; 1 is the next."""
    phase: Literal["running", "random"]
    """running: one long series, split in time. random: every window is cut from a
    sine of its own, at a phase drawn anew."""
    points: int
    """Samples of the series that are made (with random phases: windows)."""
    train_points: int
    """How many of them to train on."""
    validation_points: int
    """How many of the next ones choose the epoch."""
    test_points: int
    """How many of the next ones are scored at the end."""

    @property
    def rate(self) -> float:
        """Radians per sample."""
        return self.frequency * self.time_step

    @property
    def num_phases(self) -> int:
        """Points of the grid for the posterior, two to its least possible width.

        The window tells the phase with a standard deviation of at least
        noise / sqrt(lookback) (the Cramer-Rao bound at slope 1).
        """
        needed = 4 * math.pi * math.sqrt(self.lookback) / self.noise
        return max(MIN_PHASES, math.ceil(needed))

    def check(self) -> None:
        """Refuse what leaves nothing to learn or nothing to score.

        Raises:
            UserError: With the flag, what it takes and the way out.
        """
        for name in ("frequency", "time_step"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise UserError(
                    f"{spell_flag(name)} {value}: takes a number above 0, e.g. 0.1."
                )
        if not 0 < self.noise < math.inf:
            raise UserError(
                f"--noise {self.noise}: takes a standard deviation above 0, e.g. 0.1; "
                "without noise there is nothing to tell apart."
            )
        check_at_least(self, {"lookback": 1, "delay": 1})
        fewest = 1 if self.phase == "random" else self.lookback + self.delay
        for part in PARTS:
            count = getattr(self, f"{part}_points")
            if count < fewest:
                raise UserError(
                    f"{spell_flag(f'{part}_points')} {count}: holds no window of "
                    f"{self.lookback} samples and the one {self.delay} later; take at "
                    f"least {fewest}."
                )
        check_at_least(self, {"points": 1})
        if self.num_phases > MAX_PHASES:
            raise UserError(
                f"--noise {self.noise}: too little for {self.lookback} samples to "
                "compute the best possible forecast; take at least "
                f"{4 * math.pi * math.sqrt(self.lookback) / MAX_PHASES:.2g}."
            )
        asked = sum(getattr(self, f"{part}_points") for part in PARTS)
        if asked > self.points:
            raise UserError(
                f"--points {self.points}: the three parts ask for {asked} "
                f"({self.train_points} + {self.validation_points} + "
                f"{self.test_points}); take --points {asked} or smaller parts."
            )
        if self.phase == "running":
            for part in PARTS:
                self._check_phases(part)

    def _check_phases(self, part: str) -> None:
        """Refuse a part that shows a few phases only: its floor would be another."""
        flag, count = spell_flag(f"{part}_points"), getattr(self, f"{part}_points")
        periods = count * self.rate / (2 * math.pi)
        if periods < MIN_PERIODS:
            raise UserError(
                f"{flag} {count}: holds {periods:.1f} periods of "
                f"{2 * math.pi / self.rate:.0f} samples, too few to stand for all "
                f"phases; take at least {math.ceil(count * MIN_PERIODS / periods)}, or "
                "--phase random."
            )
        turns = np.arange(min(count, 100_000)) * (self.rate / (2 * math.pi))
        places = min(PLACES, count // 4)
        if len(np.unique((turns % 1 * places).astype(np.int64))) < 0.9 * places:
            raise UserError(
                f"--frequency {self.frequency} --time-step {self.time_step}: the "
                "samples of the series always meet the same few phases; take another "
                "frequency, or --phase random."
            )


def make_sine(config: SineConfig, seed: int) -> Splits:
    """Return windows of a noisy sine, drawn anew for every seed.

    With target sample t the window holds samples t - delay - lookback + 1 to
    t - delay. Inputs are float32, (num_windows, lookback, 1); targets float32,
    (num_windows,); the best possible prediction is `predict_bayes`.

    Args:
        config: Checked.
        seed: Decides noise and phases.
    """
    random = np.random.default_rng([seed, 0x51E])
    span = config.lookback + config.delay
    if config.phase == "random":
        phases = random.uniform(0, 2 * math.pi, (config.points, 1))
        samples = np.sin(phases + config.rate * np.arange(span))
        samples += random.normal(0, config.noise, samples.shape)
    else:
        series = np.sin(config.rate * np.arange(config.points))
        series += random.normal(0, config.noise, len(series))
        samples = np.lib.stride_tricks.sliding_window_view(series, span)
    parts = {}
    first = 0
    for part in PARTS:
        count = getattr(config, f"{part}_points")
        # In a running series a window and its target lie within one part.
        windows = count if config.phase == "random" else count - span + 1
        rows = samples[first : first + windows]
        inputs = rows[:, : config.lookback]
        parts[part] = Examples(
            inputs=np.ascontiguousarray(inputs[:, :, None], np.float32),
            targets=np.ascontiguousarray(rows[:, -1], np.float32),
            best_possible=predict_bayes(config, inputs),
            dependence=1 if config.phase == "random" else span,
        )
        first += count
    # The delay is part of the name: what is predicted decides who can be compared.
    name = f"sine-{config.rate:.3g}-noise-{config.noise:.3g}-{config.delay}-ahead"
    return Splits(data=name, **parts, facts={"origin": "generated"})


def predict_bayes(config: SineConfig, windows: np.ndarray) -> np.ndarray:
    """Predict as well as the window allows: amplitude and frequency known, phase not.

    The window x_0..x_(L-1) is sin(phi + rate k) plus noise of variance s^2. With
    every phase as likely beforehand, the posterior of phi is proportional to
    exp(-sum_k (x_k - sin(phi + rate k))^2 / (2 s^2)), and the prediction with the
    smallest expected squared error is the posterior mean of
    sin(phi + rate (L - 1 + delay)). Its error exceeds the noise variance by the
    posterior variance of that value. Computed on a grid of phases, finer than the
    posterior can be narrow.

    Args:
        config: Of the sine.
        windows: (num_windows, lookback).

    Returns:
        float32, (num_windows,).
    """
    phases = np.arange(config.num_phases) * (2 * math.pi / config.num_phases)
    steps = np.arange(config.lookback) * config.rate
    clean = np.sin(phases[:, None] + steps)  # (phases, lookback)
    ahead = np.sin(phases + (config.lookback - 1 + config.delay) * config.rate)
    predicted = np.empty(len(windows), np.float32)
    chunk = 2**22 // config.num_phases  # keeps an array of both at 32 MB
    for first in range(0, len(windows), chunk):
        piece = windows[first : first + chunk]
        # The part of the exponent that does not depend on the phase is left out.
        exponent = piece @ clean.T - 0.5 * np.sum(clean**2, axis=1)
        exponent /= config.noise**2
        weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        predicted[first : first + chunk] = weights @ ahead / weights.sum(axis=1)
    return predicted


def solve_best_linear(config: SineConfig) -> tuple[np.ndarray, float]:
    """Return the weights of the best linear prediction, and its expected error.

    With a uniform phase the clean samples have mean 0 and covariance
    cos(rate (i - j)) / 2, so the window has covariance
    C_ij = cos(rate (i - j)) / 2 + s^2 [i = j] and covariance
    c_i = cos(rate (L - 1 + delay - i)) / 2 with the target. The weights are
    C^-1 c and the expected squared error 1/2 + s^2 - c' C^-1 c.

    Returns:
        Weights, float64 (lookback,), and the error.
    """
    steps = np.arange(config.lookback)
    window = np.cos(config.rate * (steps[:, None] - steps)) / 2
    window += config.noise**2 * np.eye(config.lookback)
    target = np.cos(config.rate * (config.lookback - 1 + config.delay - steps)) / 2
    weights = np.linalg.solve(window, target)
    return weights, float(0.5 + config.noise**2 - target @ weights)


def start_free_run(
    config: SineConfig, seed: int, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy window and the clean sine that follows it.

    Returns:
        Window (lookback,) and clean samples (steps,), the first of them one sample
        after the window.
    """
    random = np.random.default_rng([seed, 0xF8EE])
    clean = np.sin(config.rate * np.arange(config.lookback + steps))
    window = clean[: config.lookback] + random.normal(0, config.noise, config.lookback)
    return window, clean[config.lookback :]
