"""Read a weather file of the station without changing its values."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from shared.core.errors import UserError

LARGEST = 1e9  # no instrument writes a larger number
TIME_FORMATS = ("%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")
WIND_SPEED, WIND_GUST, WIND_DIRECTION = "wv (m/s)", "max. wv (m/s)", "wd (deg)"
COLUMNS = (
    "p (mbar)", "T (degC)", "Tpot (K)", "Tdew (degC)", "rh (%)", "VPmax (mbar)",
    "VPact (mbar)", "VPdef (mbar)", "sh (g/kg)", "H2OC (mmol/mol)", "rho (g/m**3)",
    WIND_SPEED, WIND_GUST, WIND_DIRECTION,
)  # fmt: skip
"""Columns that every file of the station has. Newer files have more."""
BAD_ARCHIVE = (zipfile.BadZipFile, NotImplementedError, zlib.error)


@dataclass(frozen=True)
class Records:
    """The content of a file.

    Attributes:
        times: datetime64[s], (num_rows,), in the order of the file.
        values: float64 by column, NaN if a cell is empty. Its index is the line of the
            file (the header is line 1).
    """

    times: np.ndarray
    values: pd.DataFrame


def read_records(
    path: Path, skip: tuple[str, ...] = (), limit: int | None = None
) -> Records:
    """Read a file of the station, plain, gzipped or zipped.

    Args:
        path: The first column holds the time, all others numbers. Bytes that are not
            UTF-8 become a replacement character.
        skip: Columns not to read.
        limit: Rows to read at most.

    Raises:
        UserError: If the file has another form. Names column and line.
    """
    try:
        text = _read_text(path)
        names = [name.strip() for name in next(csv.reader(text), [])]
        _check_names(names, skip, path)
        raw = pd.read_csv(
            text,
            header=None,
            names=names,
            index_col=False,
            nrows=limit,
            skip_blank_lines=False,
            skipinitialspace=True,
            low_memory=False,
        )
    except (OSError, EOFError, ValueError, RuntimeError, *BAD_ARCHIVE) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: cannot be read as a CSV file ({reason}).") from None
    raw.index += 2
    raw = raw.dropna(how="all")  # blank lines
    if not len(raw):
        raise UserError(f"{path}: holds no row below its header; name another file.")
    times = _parse_times(raw[names[0]], path)
    values = {
        name: _parse_numbers(raw[name], path) for name in names[1:] if name not in skip
    }
    return Records(times, pd.DataFrame(values, index=raw.index))


def _read_text(path: Path) -> io.TextIOBase:
    """Unpack and open the CSV file. Bytes that are not UTF-8 are replaced."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            # Archives packed on a Mac hold a shadow of each file in __MACOSX/.
            names = [
                name
                for name in archive.namelist()
                if name.endswith(".csv") and not name.startswith("__MACOSX/")
            ]
            if not names:
                raise ValueError("no .csv file in the archive")
            content = archive.read(names[0])
    else:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    return io.StringIO(content.decode("utf-8-sig", errors="replace"))


def _check_names(names: list[str], skip: tuple[str, ...], path: Path) -> None:
    if not names:
        raise ValueError("it is empty")
    if len(names) == 1:
        raise UserError(
            f"{path}: line 1 has one column only; columns are separated by commas."
        )
    for k, name in enumerate(names):
        if name in names[:k]:
            raise UserError(
                f"{path}: line 1 names column {name!r} twice (columns "
                f"{names.index(name) + 1} and {k + 1}); rename one."
            )
    for name in skip:
        if name not in names[1:]:
            raise UserError(
                f"--skip-columns {name!r}: {path.name} has no such column; it has "
                f"{', '.join(map(repr, names[1:]))}."
            )
    for name in COLUMNS:
        if name not in names:
            raise UserError(
                f"{path}: line 1 has no column {name!r}; files of the station have "
                f"{', '.join(COLUMNS)}."
            )


def _parse_times(column: pd.Series, path: Path) -> np.ndarray:
    for time_format in TIME_FORMATS:
        times = pd.to_datetime(column.astype(str), format=time_format, errors="coerce")
        if times.notna().any():
            break
    if times.isna().any():
        line = times.index[times.isna()][0]
        raise UserError(
            f"{path}: line {line}, column {column.name!r}: {str(column[line])!r} is no "
            "time; the first column holds the time, as 31.12.2009 23:50:00 or "
            "2009-12-31 23:50:00, in the same form in all rows."
        )
    return times.to_numpy("datetime64[s]")


def _parse_numbers(column: pd.Series, path: Path) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    wrong = (numbers.isna() & column.notna()) | (numbers.abs() > LARGEST)
    if wrong.any():
        line = column.index[wrong][0]
        raise UserError(
            f"{path}: line {line}, column {column.name!r}: {str(column[line])!r} is no "
            "number that an instrument writes; correct it, or skip the column with "
            f"--skip-columns {column.name!r}."
        )
    return numbers.to_numpy()
