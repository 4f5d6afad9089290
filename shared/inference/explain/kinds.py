"""Which runs can be explained, and how."""

from __future__ import annotations

from typing import Literal

from shared.core.backend import (
    import_keras,
    limit_threads,
    read_threads,
    set_up_numbers,
)
from shared.core.errors import UserError
from shared.data.generated.vowels import VowelsConfig
from shared.data.imdb.reviews import ReviewsConfig
from shared.data.series.config import SeriesConfig
from shared.data.text.config import TextConfig
from shared.data.weather.config import WeatherConfig
from shared.data.writing.config import WritingConfig
from shared.inference.parts import list_parts
from shared.runs.reader import Run

Kind = Literal["text", "window", "writer"]
KINDS: dict[type, Kind] = {
    TextConfig: "text",
    ReviewsConfig: "text",
    SeriesConfig: "window",
    WeatherConfig: "window",
    WritingConfig: "writer",
    VowelsConfig: "writer",
}


def find_kind(run: Run) -> Kind:
    """Return how a run is explained.

    Raises:
        UserError: If it cannot be explained.
    """
    parts = list_parts(run)
    for part in parts:
        if part in KINDS:
            return KINDS[part]
    reason = "" if parts else " The recipe of this run no longer exists."
    raise UserError(
        f"{run.path}: {run.recipe} cannot be explained.{reason} explain works with runs"
        " of text-*, imdb-*, series-*, weather-*, writer-* and vowel-gru."
    )


def start_tensorflow(run: Run) -> None:
    """Import TensorFlow, and compute as the run did."""
    limit_threads(read_threads())
    import_keras()
    set_up_numbers(run.settings.get("precision", "float32"))
