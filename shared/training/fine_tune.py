"""A training that begins with the trained weights of another run (`--from`)."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.core.errors import UserError
from shared.data.text.vocabulary import FIRST_TOKEN, Vocabulary

if TYPE_CHECKING:
    import keras

    from shared.data.splits import Splits
    from shared.training.recorder import Recorder

Keys = Sequence[Hashable]


@dataclass(frozen=True)
class Layer:
    """A layer of a network, with what its rows stand for.

    Attributes:
        name: For messages.
        key: Finds the layer of the same place in another network.
        variables: Its trainable ones, in order, or their values.
        axes: For each variable, the axis that counts tokens or bigrams; None: none.
        rows: What each row along these axes stands for.
    """

    name: str
    key: tuple[str, int]
    variables: list[Any]
    axes: list[int | None]
    rows: Keys = ()


@dataclass(frozen=True)
class Source:
    """The trained network of a run.

    Attributes:
        name: Recipe and folder of the run.
        layers: Those with trained weights, with values as variables.
    """

    name: str
    layers: list[Layer]


class FineTune:
    """Where a run begins: with the weights of another run, as far as they fit."""

    def __init__(self, source: Source) -> None:
        """Keep the trained network."""
        self.source = source
        self.taken: list[str] = []
        self.left_out: dict[str, str] = {}

    def prepare(self, data: Splits, model: keras.Model) -> None:
        """Set the weights of every layer that fits, and name each one that does not.

        Raises:
            UserError: If none fits.
        """
        known = {layer.key: layer for layer in self.source.layers}
        layers = list_layers(model, getattr(data, "vocabulary", None))
        lines = []
        for layer in layers:
            trained = known.pop(layer.key, None)
            reason = "the run has no such layer"
            if trained is not None:
                reason, note = _take(layer, trained)
                lines += [f"  {layer.name}: {note}"] if note else []
            if reason:
                self.left_out[layer.name] = reason
                lines.append(f"  Not taken: {layer.name}: {reason}.")
            else:
                self.taken.append(layer.name)
        for layer in known.values():
            lines.append(f"  Not used: {layer.name} of the run, which is not here.")
        if not self.taken:
            first = lines[0].strip() if lines else "It has no weights."
            raise UserError(f"--from {self.source.name}: no layer fits. {first}")
        count = f"{len(self.taken)} of {len(layers)} layers"
        print(f"Begins with the weights of {self.source.name}: {count}.")
        for line in lines:
            print(line)

    def describe(self) -> dict[str, Any]:
        """Return what `config.json` records of it."""
        facts = {"run": self.source.name, "layers": self.taken}
        return {"started_from": facts | {"left_out": self.left_out}}

    def begin(self, model: keras.Model, recorder: Recorder) -> int:
        """Return 0: every epoch is trained."""
        return 0


def list_layers(model: keras.Model, vocabulary: Vocabulary | None) -> list[Layer]:
    """Return the layers of a network that have trainable weights.

    Args:
        model: Built.
        vocabulary: What its token ids mean; None: the same in every run.
    """
    from keras import layers

    lookups = [one for one in model.layers if isinstance(one, layers.IntegerLookup)]
    embeddings = [one for one in model.layers if isinstance(one, layers.Embedding)]
    pairs = {
        one.name: lookup
        for one in embeddings
        for lookup in lookups
        if one.input is lookup.output
    }
    # What the code of a bigram means depends on the tokens, or on their number.
    sizes = sorted({one.input_dim for one in embeddings if one.name not in pairs})
    meaning = vocabulary.sha256 if vocabulary else sizes
    tokens: Keys = []
    if vocabulary is not None:
        tokens = [*range(FIRST_TOKEN), *vocabulary.tokens]
    found, counts = [], {}
    for layer in model.layers:
        variables = list(layer.trainable_variables)
        kind = _name_kind(type(layer).__name__)
        base = kind if re.fullmatch(rf"{kind}(_\d+)?", layer.name) else layer.name
        counts[base] = number = counts.get(base, -1) + 1
        if not variables:
            continue
        axes: list[int | None] = [None] * len(variables)
        rows: Keys = ()
        if isinstance(layer, layers.Embedding):
            if layer.name in pairs:
                codes = pairs[layer.name].get_vocabulary()
                rows = [f"{meaning} {code}" for code in codes]
                rows += [None] * (layer.input_dim - len(rows))
            elif len(tokens) == layer.input_dim:
                rows = tokens
            axes = [0 if rows else None]
        elif isinstance(layer, layers.Dense) and tokens and layer.units == len(tokens):
            axes, rows = [-1] * len(variables), tokens
        found.append(Layer(layer.name, (base, number), variables, axes, rows))
    return found


def read_source(name: str, model: keras.Model, vocabulary: Vocabulary | None) -> Source:
    """Return the values of a trained network.

    Args:
        name: Recipe and folder of its run.
        model: Loaded.
        vocabulary: What its token ids mean; None: the same in every run.
    """
    layers = [
        Layer(one.name, one.key, [np.asarray(v) for v in one.variables], one.axes,
              one.rows)
        for one in list_layers(model, vocabulary)
    ]  # fmt: skip
    return Source(name, layers)


def _take(layer: Layer, trained: Layer) -> tuple[str, str]:
    """Set the weights of a layer to trained ones.

    Returns:
        Why they do not fit; empty if they do. Then a note on what was taken.
    """
    if (layer.axes, bool(layer.rows)) != (trained.axes, bool(trained.rows)):
        return "its rows stand for something else in the run", ""
    places = _match_rows(layer.rows, trained.rows)
    if layer.rows and not len(places[0]):
        return "the run knows none of its tokens", ""
    values = []
    for variable, array, axis in zip(
        layer.variables, trained.variables, layer.axes, strict=False
    ):
        if axis is not None:
            here = np.moveaxis(np.array(variable), axis, 0)
            there = np.moveaxis(array, axis, 0)
            if here.shape[1:] == there.shape[1:]:
                here[places[0]] = there[places[1]]
                array = np.moveaxis(here, 0, axis)
        values.append(array)
    shapes = [tuple(variable.shape) for variable in layer.variables]
    if [value.shape for value in values] != shapes:
        before = [value.shape for value in trained.variables]
        return f"its weights are {_join(shapes)}, in the run {_join(before)}", ""
    for variable, value in zip(layer.variables, values, strict=True):
        variable.assign(value)
    count = len(layer.rows)
    if not layer.rows or len(places[0]) == count == len(trained.rows):
        return "", ""
    return "", f"{len(places[0]):,} of {count:,} rows, which the run knows"


def _match_rows(here: Keys, there: Keys) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the rows that stand for the same, here and there."""
    known = {key: k for k, key in enumerate(there) if key is not None}
    pairs = [(k, known[key]) for k, key in enumerate(here) if key in known]
    matched = np.array(pairs, np.int64).reshape(-1, 2)
    return matched[:, 0], matched[:, 1]


def _join(shapes: Sequence[tuple]) -> str:
    return " ".join(str(shape) for shape in shapes)


def _name_kind(name: str) -> str:
    """Return the name that Keras gives a layer of a class: `SimpleRNN`: simple_rnn."""
    return re.sub("(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()
