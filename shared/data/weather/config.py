"""Which weather records are read, and how they become windows: the flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from shared.core.errors import UserError, check_at_least
from shared.core.roles import Role


@dataclass(frozen=True)
class WeatherConfig:
    """Which records are read, and how they become windows."""

    lookback: Annotated[int, Role.DATA]
    """Steps that the network reads, 1 or more."""
    sampling: Annotated[int, Role.DATA]
    """Rows from one step to the next, 1 or more. The station writes six an hour."""
    delay: Annotated[int, Role.DATA]
    """Steps from the last one read to the one predicted, 1 or more."""
    target: Annotated[str, Role.DATA]
    """Column to predict."""
    train_share: Annotated[float, Role.SPLIT]
    """Share of the rows for training, above 0: the earliest."""
    validation_share: Annotated[float, Role.SPLIT]
    """Share of the rows that choose the epoch, above 0: the next ones. The rest is the
    test part."""
    stride: Annotated[int, Role.SPLIT] = 1
    """Rows from one window to the next, 1 or more."""
    reverse: Annotated[bool, Role.MODEL] = False
    """Feed the steps of each window from the latest to the earliest."""
    calendar: Annotated[Literal["day-and-year", "day", "none"], Role.DATA] = (
        "day-and-year"
    )
    """Cycles of the time that the network also reads, as sine and cosine. In a record
    of one year, the yearly cycle is a trend that ends with the training part."""
    max_gap: Annotated[int, Role.DATA] = 60
    """Interpolate missing values over at most this many minutes, 0 or more. Longer gaps
    stay gaps."""
    skip_columns: Annotated[tuple[str, ...], Role.DATA] = ()
    """Columns of the file not to read, by name."""
    data: Annotated[
        Literal["auto", "jena-2009-2016", "jena-2020", "sample"], Role.SOURCE
    ] = "auto"
    """jena-2009-2016, jena-2020: that file of the station or an error. sample: a
    generated climate. auto: a file if one is found, else the sample."""
    data_dir: Annotated[Path | None, Role.SOURCE] = None
    """Folder with the file; without it, an error. Without the flag: the folder in
    RNN_RECIPES_DATA; if neither is set, the Keras cache, then the download."""
    limit: Annotated[int | None, Role.SOURCE] = None
    """Read only this many rows from the start of the file, for a quick look."""

    def validate(self) -> None:
        """Refuse settings that no record can satisfy.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        counts = ("lookback", "sampling", "delay", "stride", "limit")
        check_at_least(self, dict.fromkeys(counts, 1) | {"max_gap": 0})
        shares = (self.train_share, self.validation_share)
        if not (min(shares) > 0 and sum(shares) < 1):
            raise UserError(
                f"--train-share {shares[0]} --validation-share {shares[1]}: take "
                "shares above 0 that leave a part of the rows for the test, e.g. 0.5 "
                "and 0.25."
            )

    @property
    def num_read(self) -> int:
        """Rows from the first step of a window to its last, both included."""
        return (self.lookback - 1) * self.sampling + 1

    @property
    def span(self) -> int:
        """Rows from the start of a window to its target."""
        return (self.lookback - 1 + self.delay) * self.sampling
