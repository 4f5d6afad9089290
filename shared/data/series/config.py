"""Which table of series is read, and how its series become windows: the flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from shared.core.errors import UserError, check_at_least
from shared.core.flags import NAMES, NUMBERS
from shared.core.roles import Role
from shared.core.text import shorten
from shared.data.series.reading import TableOptions

Scaling = Literal["auto", "window", "training", "level"]


@dataclass(frozen=True)
class SeriesConfig:
    """Which table is read, and how its series become windows."""

    horizon: Annotated[int, Role.SPLIT]
    """Steps to forecast, 1 or more."""
    lookback: Annotated[int | None, Role.DATA] = None
    """Steps that the network reads, 1 or more. Omit it for two seasons or four
    horizons, whichever is longer, but at most a third of the training part."""
    file: Annotated[Path | None, Role.SOURCE] = None
    """Table to read: CSV, TSV (also gz, zip, xz) or Parquet. Without it: a generated
    series."""
    time: Annotated[str | None, Role.DATA] = None
    """Column with the time. Omit it if only one column holds times."""
    target: Annotated[tuple[str, ...], Role.SPLIT, NAMES] = ()
    """Columns to predict: `a` or `a,b`. Omit it if there is only one column of
    numbers."""
    series: Annotated[str | None, Role.DATA] = None
    """Column with the name of the series, for a file with many series."""
    inputs: Annotated[tuple[str, ...], Role.DATA, NAMES] = ()
    """More columns to read. Their future is not known."""
    known: Annotated[tuple[str, ...], Role.DATA, NAMES] = ()
    """Columns whose future is known, such as holidays or prices."""
    calendar: Annotated[Literal["auto", "none"], Role.DATA] = "auto"
    """auto: the network also reads the cycles of day, week and year that the training
    part holds twice, as sine and cosine."""
    every: Annotated[str | None, Role.SPLIT] = None
    """Resample to this step, e.g. `15min`, `1h`, `1D`, `W` or `MS`."""
    how: Annotated[Literal["mean", "sum", "last"], Role.SPLIT] = "mean"
    """How --every combines the rows of a step."""
    season: Annotated[int | None, Role.DATA] = None
    """Steps of a season, for the baselines and MASE. Omit it to take it from the step
    of the series: 24 for hours, 7 for days, 12 for months."""
    train_share: Annotated[float, Role.SPLIT] = 0.6
    """Share of the steps for training, above 0: the earliest."""
    validation_share: Annotated[float, Role.SPLIT] = 0.2
    """Share of the steps that choose the epoch, above 0: the next ones. The rest is the
    test part."""
    train_steps: Annotated[int | None, Role.SPLIT] = None
    """Steps for training, the latest before the validation part. Omit it for all."""
    validation_steps: Annotated[int | None, Role.SPLIT] = None
    """Steps of the validation part, instead of a share."""
    test_steps: Annotated[int | None, Role.SPLIT] = None
    """Steps of the test part, the latest. Needs --validation-steps."""
    until: Annotated[str | None, Role.SPLIT] = None
    """Use only steps before this time, e.g. `2024-03-01`."""
    holdout_series: Annotated[tuple[str, ...], Role.SPLIT, NAMES] = ()
    """Series that are left out of training: the test part then has these only."""
    stride: Annotated[int, Role.TRAINING] = 1
    """Steps from one training window to the next, 1 or more."""
    test_stride: Annotated[int | None, Role.SPLIT] = None
    """Steps from one window to the next in validation and test. Omit it for the
    smallest number that gives at most 5,000 windows."""
    max_gap: Annotated[int, Role.DATA] = 24
    """Missing steps in a row that the last known value replaces, 0 or more. No window
    reads across longer gaps. A missing value is never a target."""
    quantiles: Annotated[tuple[float, ...], Role.MODEL, NUMBERS] = ()
    """Probabilities that the network predicts besides 0.5, e.g. `0.1,0.5,0.9`, with the
    pinball loss. Omit it for one forecast."""
    scaling: Annotated[Scaling, Role.MODEL] = "window"
    """What the network reads of the targets. window: differences from the latest value,
    divided by their own mean. training: divided by that of the training part. level:
    the values themselves. auto: level for fewer than 1,000 windows of seasonal series
    that keep their level in training and validation part, otherwise window."""
    start: Annotated[Literal["auto", "season", "latest"], Role.MODEL] = "auto"
    """What the network corrects. season: a share of the last season, found by least
    squares. latest: the latest value, as where a window is shorter than a season. auto:
    season for fewer than 1,000 windows that are read as differences, otherwise
    latest."""
    loss: Annotated[Literal["mae", "mse"], Role.TRAINING] = "mae"
    """Loss of a network without quantiles: absolute or squared error."""
    time_format: Annotated[str | None, Role.SOURCE] = None
    """Form of the times: iso, day-first, month-first, epoch-s, epoch-ms, or one such as
    `%d.%m.%y %H:%M`. Omit it where the file is clear."""
    decimal: Annotated[Literal["auto", ".", ","], Role.SOURCE] = "auto"
    """Decimal mark of the numbers."""
    encoding: Annotated[str, Role.SOURCE] = "auto"
    """Encoding of a text file. auto: UTF-8, UTF-16 with a byte order mark, or
    GB18030 (Chinese Windows)."""
    data: Annotated[Literal["auto", "sample"], Role.SOURCE] = "auto"
    """sample: a generated series whose best forecast is known. auto: the file, or the
    sample where none is named."""
    limit: Annotated[int | None, Role.SOURCE] = None
    """Read only this many rows from the start of the file, for a quick look."""

    def validate(self) -> None:
        """Refuse settings that no table can satisfy.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        counts = ("lookback", "horizon", "stride", "test_stride", "limit", "season")
        parts = ("train_steps", "validation_steps", "test_steps")
        least = dict.fromkeys((*counts, *parts), 1) | {"max_gap": 0}
        check_at_least(self, least)
        shares = (self.train_share, self.validation_share)
        if not (min(shares) > 0 and sum(shares) < 1):
            raise UserError(
                f"--train-share {shares[0]} --validation-share {shares[1]}: take "
                "shares above 0 that leave a part of the steps for the test, e.g. 0.6 "
                "and 0.2."
            )
        if (self.validation_steps is None) != (self.test_steps is None):
            raise UserError(
                "--validation-steps and --test-steps belong together: pass both, or "
                "none to split by shares."
            )
        if self.train_steps is not None and self.test_steps is None:
            raise UserError(
                "--train-steps needs --validation-steps and --test-steps; pass all "
                "three, or split by shares."
            )
        if self.quantiles:
            values = list(self.quantiles)
            if values != sorted(set(values)) or not 0 < values[0] <= values[-1] < 1:
                raise UserError(
                    f"--quantiles {','.join(map(str, values))}: takes increasing "
                    "probabilities between 0 and 1, e.g. 0.1,0.5,0.9."
                )
            if 0.5 not in values:
                raise UserError(
                    f"--quantiles {','.join(map(str, values))}: the median is the "
                    "forecast; add 0.5."
                )
        if self.data == "sample" and self.file is not None:
            raise UserError(
                f"--data sample --file {shorten(str(self.file))}: omit one of the two."
            )
        if self.file is None:
            self._check_sample()

    def _check_sample(self) -> None:
        """Refuse flags that describe a table where none is named."""
        flags = ("time", "target", "series", "inputs", "known", "every", "time_format",
                 "holdout_series")  # fmt: skip
        for name in flags:
            if getattr(self, name):
                flag = name.replace("_", "-")
                raise UserError(
                    f"--{flag}: describes a table, but no --file is named. Name the "
                    "file, or omit the flag to train on the generated series."
                )

    def options(self) -> TableOptions:
        """Return what the reader needs."""
        return TableOptions(
            file=self.file, time=self.time, target=self.target, series=self.series,
            inputs=self.inputs, known=self.known, every=self.every, how=self.how,
            time_format=self.time_format, decimal=self.decimal,
            encoding=self.encoding, limit=self.limit,
        )  # fmt: skip
