"""Which runs can predict for new data, and how: one entry for each kind of data.

The kind of a run is the type of the part of its recipe's settings that makes the data.
So a recipe of your own forecasts as the one it was copied from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from shared.core.errors import UserError
from shared.data.generated.memory_tasks import MemoryConfig
from shared.data.generated.sine import SineConfig
from shared.data.generated.sums import SumsConfig
from shared.data.generated.vowels import VowelsConfig
from shared.data.imdb.reviews import ReviewsConfig
from shared.data.series.config import SeriesConfig
from shared.data.text.config import TextConfig
from shared.data.weather.dataset import WeatherConfig
from shared.data.writing.config import WritingConfig
from shared.inference.parts import list_parts
from shared.inference.series_forecast import forecast_series
from shared.inference.series_run import read_layout
from shared.inference.sine_forecast import forecast_sine
from shared.inference.text_predict import TextPredictions, predict_texts
from shared.inference.text_run import read_text_reader
from shared.inference.weather_forecast import forecast_weather
from shared.inference.weather_record import read_kept
from shared.plots.forecast_figure import ForecastPanel
from shared.runs.reader import Run

FAMILIES = ("series-*", "weather-*", "sine-*", "scratch-gru", "text-*", "imdb-*")
"""Names of the recipes that forecast, or that classify texts."""


class Forecast(Protocol):
    """What a predictor returns.

    Attributes:
        source: What it started from, in words.
        remarks: What the user should know, each in one sentence.
    """

    source: str
    remarks: list[str]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table, all with the same keys."""

    def to_panels(self) -> list[ForecastPanel]:
        """Return what the picture shows, at least one panel."""


@dataclass(frozen=True)
class Predictor:
    """How the runs of one kind forecast.

    Attributes:
        forecast: Takes a run and a file; None: the data of the run. Where it reads
            texts, it also takes one text or None.
        check: Refuses a run that cannot forecast, before TensorFlow starts.
        reads_text: Whether it classifies texts.
        form: Fields of `FileForm` that it takes. Then `forecast` takes a `form`.
    """

    forecast: Callable[..., Forecast | TextPredictions]
    check: Callable[[Run], object] = lambda _: None
    reads_text: bool = False
    form: tuple[str, ...] = ()


SERIES = Predictor(
    forecast_series, read_layout, form=("encoding", "decimal", "time_format")
)
TEXTS = Predictor(predict_texts, read_text_reader, reads_text=True, form=("encoding",))
PREDICTORS: dict[type, Predictor] = {
    SeriesConfig: SERIES,
    WeatherConfig: Predictor(forecast_weather, read_kept),
    SineConfig: Predictor(forecast_sine),
    TextConfig: TEXTS,
    ReviewsConfig: TEXTS,
}
NO_SERIES: dict[type, str] = {
    SumsConfig: "the sum of a window of random numbers",
    MemoryConfig: "what is to be remembered from a random sequence",
    VowelsConfig: "the next vowel of a text (make generate writes with it)",
    WritingConfig: "the next token of a text (make generate writes with it)",
}
"""What the other recipes predict."""


def find_predictor(run: Run) -> Predictor:
    """Return how a run forecasts.

    Raises:
        UserError: If what it predicts is no later value of a series.
    """
    parts = list_parts(run)
    for kind in parts:
        if kind in PREDICTORS:
            return PREDICTORS[kind]
    if "layout" in run.config["data_facts"]:  # it needs no recipe
        return SERIES
    known = ", ".join(FAMILIES[:-1]) + f" and {FAMILIES[-1]}"
    if not parts:
        raise UserError(
            f"{run.path}: the recipe {run.recipe} no longer exists, and its run cannot "
            f"forecast without it; predict works with runs of {known}."
        )
    purpose = next((NO_SERIES[kind] for kind in parts if kind in NO_SERIES), "")
    what = f"predicts {purpose}, and that" if purpose else "predicts what"
    raise UserError(
        f"{run.path}: {run.recipe} {what} is no later value of a series, and no "
        f"class of a text; predict works with runs of {known}."
    )
