"""What goes into an exported network and what comes out, in words and in files."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.data.imdb.reviews import ReviewsConfig
from shared.data.imdb.word_index import WORD as REVIEW_WORD
from shared.data.padding import PAD, START, UNKNOWN
from shared.data.series.config import SeriesConfig
from shared.data.splits import Examples, Splits
from shared.data.text.config import TextConfig
from shared.data.text.tokens import WORD
from shared.data.text.vocabulary import FIRST_TOKEN
from shared.data.weather.config import WeatherConfig
from shared.data.weather.features import CYCLES
from shared.data.windows import Windows
from shared.data.writing.config import WritingConfig
from shared.inference.parts import list_parts, restore_part
from shared.inference.series_run import read_layout
from shared.inference.text_run import read_text_reader
from shared.inference.weather_record import read_kept
from shared.runs.reader import Run

if TYPE_CHECKING:
    import keras

IDS = {"padding": PAD, "start": START, "unknown": UNKNOWN, "first": FIRST_TOKEN}


@dataclass(frozen=True)
class Interface:
    """How a network is used.

    Attributes:
        kind: `text`, `tokens` or `numbers`: how the example makes the inputs.
        inputs: What each input means, ready for JSON.
        output: What the output means, ready for JSON.
        files: Name -> text of the files that the example reads.
    """

    kind: str
    inputs: list[dict[str, Any]]
    output: dict[str, Any]
    files: dict[str, str] = field(default_factory=dict)


def take_inputs(examples: Examples, which: slice) -> list[np.ndarray]:
    """Return some examples: an array (num_chosen, ...) for each input of a network."""
    inputs = examples.inputs
    if not isinstance(inputs, Windows):
        return [np.asarray(inputs[which])]
    arrays = [inputs.cut(which)]
    if getattr(inputs, "known", None) is not None:
        arrays.append(inputs.cut_known(which))
    return arrays


def describe(run: Run, data: Splits, model: keras.Model) -> Interface:
    """Return how the network of a run is used.

    Args:
        run: Finished.
        data: Its data; the first test example becomes the example.
        model: Its network.

    Raises:
        UserError: If what the run keeps of its data is missing or damaged.
    """
    parts = list_parts(run)
    if TextConfig in parts or ReviewsConfig in parts:
        found = _describe_text(run, is_review=ReviewsConfig in parts)
    elif WritingConfig in parts:
        found = _describe_tokens(data)
    else:
        found = _describe_numbers(run, parts, data)
    for one, tensor in zip(found.inputs, model.inputs, strict=True):
        one |= {"name": tensor.name, "dtype": tensor.dtype, "shape": [*tensor.shape]}
    found.output["shape"] = [*model.output_shape]
    return found


def _describe_text(run: Run, is_review: bool) -> Interface:
    reader = read_text_reader(run)
    facts = reader.facts
    reading = {
        "meaning": "ids of the tokens of a text",
        "unit": facts.tokens,
        "pattern": (REVIEW_WORD if is_review else WORD).pattern,
        "normal_form": None if is_review else "NFKC",
        "segmenter": "rjieba" if facts.segments else None,
        "length": facts.length,
        "keep": facts.keep,
        "padding": facts.padding,
        "ids": IDS,
        "vocabulary": "vocabulary.json",
    }
    classes = list(run.task.classes)
    output = {"meaning": "probability of each class", "classes": classes}
    if len(classes) == 2 and run.task.kind == "binary_classification":
        output["meaning"] = "probability of the second class"
    words = json.dumps(reader.vocabulary.tokens, ensure_ascii=False, indent=0)
    files = {"vocabulary.json": words, "example.txt": "I expected more."}
    return Interface("text", [reading], output, files)


def _describe_tokens(data: Any) -> Interface:
    reading = {
        "meaning": "ids of the tokens of a text, one after the other",
        "unit": data.task.unit,
        "ids": IDS,
        "vocabulary": "vocabulary.json",
    }
    output = {"meaning": "logit of each id, as the token after each step"}
    words = json.dumps(data.vocabulary.tokens, ensure_ascii=False, indent=0)
    ids = take_inputs(data.test, slice(0, 1))[0][0, :40]
    known = [k for k in ids.tolist() if k >= FIRST_TOKEN]
    pieces = [data.vocabulary.tokens[k - FIRST_TOKEN] for k in known]
    return Interface(
        "tokens",
        [reading],
        output,
        {"vocabulary.json": words, "example.json": json.dumps(pieces)},
    )


def _describe_numbers(run: Run, parts: dict[type, str], data: Splits) -> Interface:
    arrays = take_inputs(data.test, slice(0, 1))
    arrays = [one.reshape(len(one), len(one[0]), -1) for one in arrays]
    columns = [_name_values(one.shape[2]) for one in arrays]
    output: dict[str, Any] = {"meaning": "forecast", "unit": data.scale.unit}
    classes = getattr(run.task, "classes", ())
    if classes:
        output = {"meaning": "probability of each class", "classes": list(classes)}
    if SeriesConfig in parts:
        columns, output = _describe_series(run, data)
    elif WeatherConfig in parts:
        columns = [_name_weather(run)]
    inputs, files = [], {}
    for k, (array, features) in enumerate(zip(arrays, columns, strict=True)):
        name = f"example_{k}.csv"
        centre = np.array([one["centre"] for one in features])
        scale = np.array([one["scale"] for one in features])
        header = ",".join(one["column"].replace(",", ";") for one in features)
        file = io.StringIO()
        rows = array[0].astype(np.float64) * scale + centre
        np.savetxt(file, rows, "%.9g", ",", header=header, comments="")
        files[name] = file.getvalue()
        inputs.append(
            {
                "meaning": "steps of a sequence: (value - centre) / scale",
                "features": features,
                "example": name,
            }
        )
    return Interface("numbers", inputs, output, files)


def _describe_series(run: Run, data: Splits) -> tuple[list[list[dict]], dict]:
    """Return the columns of each input, and what the output means."""
    layout = read_layout(run)
    names = data.test.series
    name = next(iter(layout.scales)) if names is None else str(names[0])
    scales = layout.scales.get(name) or next(iter(layout.scales.values()))
    features = [
        {"column": column, "centre": scales[column][0], "scale": scales[column][1]}
        for column in layout.columns
    ]
    features += [
        {"column": column, "centre": 0.0, "scale": 1.0}
        for column in layout.features[len(features) :]
    ]
    columns = [features]
    if layout.num_known:
        columns.append(features[-layout.num_known :])
    output: dict[str, Any] = {
        "meaning": "forecast of the next steps: output * scale + centre",
        "targets": list(layout.target),
        "quantiles": list(layout.quantiles),
        "every": layout.frequency.describe(),
        "centre": 0.0,
        "scale": 1.0,
    }
    if not layout.is_single:
        centres, widths = zip(*(scales[one] for one in layout.target), strict=True)
        # (horizon, targets) or, with one target, (horizon,)
        output["centre"] = centres[0] if len(centres) == 1 else list(centres)
        output["scale"] = widths[0] if len(widths) == 1 else list(widths)
        output["scales_of_series"] = layout.scales
    return columns, output


def _name_weather(run: Run) -> list[dict[str, Any]]:
    scaling = read_kept(run).scaling
    cycles = CYCLES[restore_part(run, WeatherConfig).calendar]
    features = [
        {"column": column, "centre": mean, "scale": std}
        for column, (mean, std) in scaling.items()
    ]
    return features + [
        {
            "column": f"{wave} of the time",
            "seconds_of_cycle": period,
            "centre": 0.0,
            "scale": 1.0,
        }
        for period in cycles
        for wave in ("sine", "cosine")
    ]


def _name_values(count: int) -> list[dict[str, Any]]:
    return [
        {"column": f"value {k}", "centre": 0.0, "scale": 1.0}
        for k in range(1, count + 1)
    ]
