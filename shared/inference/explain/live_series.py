"""The forecast of rows that are pasted into the page of `make try`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from shared.core.errors import UserError
from shared.inference.explain.forecast_page import describe_steps, take_steps
from shared.inference.explain.page import Field, render_page
from shared.inference.explain.pasted import (
    MOST_CHARACTERS,
    list_headers,
    read_pasted,
    write_kept,
)
from shared.inference.explain.windows import (
    WindowExplanation,
    explain_window,
    find_middle,
)
from shared.inference.series_forecast import forecast_rows
from shared.inference.series_result import SeriesForecast
from shared.inference.series_run import read_latest, read_layout, read_reading
from shared.inference.series_table import extend
from shared.runs.reader import Run

if TYPE_CHECKING:
    import keras

MOST_BYTES = 4 * MOST_CHARACTERS  # of a request


class LiveSeries:
    """Answers the questions of the page with the network of a series run."""

    most_bytes = MOST_BYTES

    def __init__(
        self, run: Run, model: keras.Model, plain: keras.Model, title: str
    ) -> None:
        """Keep the networks, and take the rows that the page starts with.

        Args:
            run: Finished, of a series recipe.
            model: Its network, as it was trained.
            plain: The same with Keras' own kernels.
            title: Of the page.

        Raises:
            UserError: If what the run keeps is missing or damaged.
        """
        self._run, self._model, self._plain = run, model, plain
        self._layout = read_layout(run)
        reading, trained_on = read_reading(run)
        self._headers = list_headers(reading, trained_on, self._layout)
        # One forecast after the other, and one explanation: a forecast does not wait.
        self._forecasting, self._explaining = threading.Lock(), threading.Lock()
        try:
            kept = read_latest(run, self._layout)[0]
            self.start = write_kept(kept, reading, self._layout)
        except UserError:
            self.start = ""  # the user pastes rows
        columns = ", ".join(self._headers[-1])
        layout = self._layout
        label = (
            f"Paste rows: {columns}. At least {layout.lookback:,} steps, with or "
            "without a header."
        )
        if layout.known:
            label += (
                f" {layout.horizon:,} more rows have an empty target: the known future."
            )
        if self.start:
            label += " The field starts with the last rows that the run has kept."
        field = Field(label, "Paste rows.", MOST_CHARACTERS, self.start)
        self.page = render_page(title, None, field)

    def answer(self, text: str, whole: bool) -> dict[str, Any]:
        """Return what the page shows, or an `error` in a sentence.

        Args:
            text: Of the field: rows of a table.
            whole: Whether it is also computed what the forecast leans on.
        """
        try:
            return self._forecast(text, whole)
        except UserError as error:
            message = str(error)
            return {"error": message[:1].upper() + message[1:]}

    def _forecast(self, text: str, whole: bool) -> dict[str, Any]:
        layout = self._layout
        with self._forecasting:
            rows = read_pasted(self._run, layout, text, self._headers)
            found = forecast_rows(self._run, layout, rows, self._model)
        steps = take_steps(found, layout.lookback)
        remarks = [f"Read: {found.source}", *found.remarks]
        if len(found.series) > 1:
            remarks.insert(
                0,
                f"The rows hold {len(found.series):,} series. The page shows "
                f"{found.series[0].name!r} only; make predict forecasts all.",
            )
        leaning = self._explain(found) if whole else None
        answer = steps.describe_forecast()
        return describe_steps(steps, leaning, answer, remarks).to_dict()

    def _explain(self, found: SeriesForecast) -> WindowExplanation:
        """Return what the forecast of the first series leans on, in its unit."""
        layout, series = self._layout, found.series[0]
        features = layout.arrange(extend(series, layout))
        stop = series.num_observed
        inputs = [features[stop - layout.lookback : stop]]
        if layout.num_known:
            inputs.append(features[stop : stop + layout.horizon, -layout.num_known :])
        with self._explaining:
            leaning = explain_window(
                self._plain, inputs, list(layout.features), layout.horizon,
                find_middle(layout.quantiles),
            )  # fmt: skip
        if layout.is_single:
            return leaning
        unit = layout.find_scales(series)[layout.target[0]][1]
        return WindowExplanation(leaning.columns, leaning.ahead, leaning.by_step * unit)


def load_live_series(run: Run) -> LiveSeries:
    """Load the network of a series run, and compute once, so the first answer is fast.

    Raises:
        UserError: If what the run keeps is missing or damaged.
    """
    from shared.inference.explain.kinds import start_tensorflow
    from shared.inference.load_model import load_model

    read_layout(run)  # before TensorFlow starts
    start_tensorflow(run)
    model, plain = load_model(run.path), load_model(run.path, restore=False)
    live = LiveSeries(run, model, plain, f"{run.recipe} on {run.data}")
    live.answer(live.start, whole=True)
    return live
