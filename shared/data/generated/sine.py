"""A noisy sine, cut into windows. The best possible forecast is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from shared.core.errors import UserError, check_at_least, check_size, format_flag
from shared.core.roles import Role
from shared.data.splits import Examples, Splits
from shared.tasks.task import Regression

MIN_PHASES, MAX_PHASES = 1_024, 65_536  # grid points for the posterior
MIN_PERIODS = 5  # in every part of a running series
PLACES = 64  # in a period; a long part has samples in nearly all of them
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class SineConfig:
    """sin(frequency * t) plus noise, and which of its samples is predicted."""

    frequency: Annotated[float, Role.DATA]
    """Radians per unit of t, above 0."""
    time_step: Annotated[float, Role.DATA]
    """Units of t from one sample to the next, above 0."""
    noise: Annotated[float, Role.DATA]
    """Standard deviation of the Gaussian noise on every sample, above 0."""
    lookback: Annotated[int, Role.DATA]
    """Samples that the network reads, 1 or more."""
    delay: Annotated[int, Role.DATA]
    """Samples from the last one read to the one predicted; 1 is the next."""
    phase: Annotated[Literal["running", "random"], Role.SPLIT]
    """running: one long series, split in time. random: every window comes from its own
    sine, with a random phase."""
    points: Annotated[int, Role.DATA]
    """Samples of the series, at least as many as the three parts together (with
    --phase random: windows)."""
    train_points: Annotated[int, Role.SPLIT]
    """How many of the points are for training."""
    validation_points: Annotated[int, Role.SPLIT]
    """How many of the next points choose the epoch."""
    test_points: Annotated[int, Role.SPLIT]
    """How many of the next points are scored at the end."""

    @property
    def rate(self) -> float:
        """Radians per sample."""
        return self.frequency * self.time_step

    @property
    def num_phases(self) -> int:
        """Grid points for the posterior: two per smallest possible width.

        A window determines the phase with a standard deviation of at least
        noise / sqrt(lookback) (the Cramer-Rao bound at slope 1).
        """
        needed = 4 * math.pi * math.sqrt(self.lookback) / self.noise
        return max(MIN_PHASES, math.ceil(needed))

    def validate(self) -> None:
        """Refuse settings that leave nothing to learn or to score.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        for name in ("frequency", "time_step"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise UserError(
                    f"{format_flag(name)} {value}: takes a number above 0, e.g. 0.1."
                )
        if not 0 < self.noise < math.inf:
            raise UserError(
                f"--noise {self.noise}: takes a standard deviation above 0, e.g. 0.1; "
                "without noise all models are equally good."
            )
        check_at_least(self, {"lookback": 1, "delay": 1})
        fewest = 1 if self.phase == "random" else self.lookback + self.delay
        for part in PARTS:
            count = getattr(self, f"{part}_points")
            if count < fewest:
                raise UserError(
                    f"{format_flag(f'{part}_points')} {count}: holds no window of "
                    f"{self.lookback} samples with its target, {self.delay} later; "
                    f"take at least {fewest}."
                )
        check_at_least(self, {"points": 1})
        check_size(self, ["points", "lookback"], self.points * self.lookback)
        if self.num_phases > MAX_PHASES:
            raise UserError(
                f"--noise {self.noise}: too little for {self.lookback} samples to "
                "compute the best possible forecast; take at least "
                f"{4 * math.pi * math.sqrt(self.lookback) / MAX_PHASES:.2g}."
            )
        needed = sum(getattr(self, f"{part}_points") for part in PARTS)
        if needed > self.points:
            raise UserError(
                f"--points {self.points}: the three parts need {needed} "
                f"({self.train_points} + {self.validation_points} + "
                f"{self.test_points}); take --points {needed} or smaller parts."
            )
        if self.phase == "running":
            for part in PARTS:
                self._check_phases(part)

    def _check_phases(self, part: str) -> None:
        """Refuse a part with few phases: its best achievable error would differ."""
        flag, count = format_flag(f"{part}_points"), getattr(self, f"{part}_points")
        periods = count * self.rate / (2 * math.pi)
        if periods < MIN_PERIODS:
            raise UserError(
                f"{flag} {count}: holds {periods:.1f} periods of "
                f"{2 * math.pi / self.rate:.0f} samples, too few to represent all "
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
    """Return windows of a noisy sine. Every seed draws others.

    The window of target sample t holds samples t - delay - lookback + 1 to t - delay.
    Inputs are float32, (num_windows, lookback, 1); targets float32, (num_windows,). The
    best possible prediction is that of `predict_bayes`.

    Args:
        config: After `validate`.
        seed: Sets noise and phases.
    """
    samples = draw_samples(config, seed)
    span = config.lookback + config.delay
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
    # The name has the delay: only runs with the same target can be compared.
    name = f"sine-{config.rate:.3g}-noise-{config.noise:.3g}-{config.delay}-ahead"
    return Splits(
        data=name,
        **parts,
        facts={"origin": "generated"},
        task=Regression(quantity="sample"),
    )


def draw_samples(config: SineConfig, seed: int) -> np.ndarray:
    """Return the noisy samples of all windows with their targets.

    Args:
        config: After `validate`.
        seed: Sets noise and phases.

    Returns:
        float64, (num_windows, lookback + delay). The windows of a running series
        overlap; with random phases each is of a sine of its own.
    """
    random = np.random.default_rng([seed, 0x51E])
    span = config.lookback + config.delay
    if config.phase == "random":
        phases = random.uniform(0, 2 * math.pi, (config.points, 1))
        samples = np.sin(phases + config.rate * np.arange(span))
        samples += random.normal(0, config.noise, samples.shape)
        return samples
    series = np.sin(config.rate * np.arange(config.points))
    series += random.normal(0, config.noise, len(series))
    return np.lib.stride_tricks.sliding_window_view(series, span)


def predict_bayes(config: SineConfig, windows: np.ndarray) -> np.ndarray:
    """Return the best predictions from windows, if only the phase is unknown.

    Amplitude and frequency are known. The window x_0..x_(L-1) is sin(phi + rate k) plus
    noise of variance s^2. All phases are equally likely at first. So the posterior of
    phi is proportional to exp(-sum_k (x_k - sin(phi + rate k))^2 / (2 s^2)). The
    prediction with the smallest expected squared error is the posterior mean of
    sin(phi + rate (L - 1 + delay)). Its error exceeds the noise variance by the
    posterior variance of that value. It is computed on a grid of phases, finer than the
    narrowest possible posterior.

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
    chunk = 2**22 // config.num_phases  # an array (chunk, phases) has 32 MB
    for first in range(0, len(windows), chunk):
        piece = windows[first : first + chunk]
        # Without the part of the exponent that does not depend on the phase.
        exponent = piece @ clean.T - 0.5 * np.sum(clean**2, axis=1)
        exponent /= config.noise**2
        weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        predicted[first : first + chunk] = weights @ ahead / weights.sum(axis=1)
    return predicted


def solve_best_linear(config: SineConfig) -> tuple[np.ndarray, float]:
    """Return the weights of the best linear prediction, and its expected error.

    The phase is uniform. So the clean samples have mean 0 and covariance
    cos(rate (i - j)) / 2. The window has covariance
    C_ij = cos(rate (i - j)) / 2 + s^2 [i = j]. Its covariance with the target is
    c_i = cos(rate (L - 1 + delay - i)) / 2. The weights are C^-1 c. The expected
    squared error is 1/2 + s^2 - c' C^-1 c.

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
        Window (lookback,) and clean samples (steps,). The first clean sample comes one
        sample after the window.
    """
    random = np.random.default_rng([seed, 0xF8EE])
    clean = np.sin(config.rate * np.arange(config.lookback + steps))
    window = clean[: config.lookback] + random.normal(0, config.noise, config.lookback)
    return window, clean[config.lookback :]
