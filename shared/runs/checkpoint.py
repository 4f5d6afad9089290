"""The file of a run from which its training can be carried on.

`checkpoint.npz` holds plain arrays: `facts` (JSON), and numbered ones such as
`model/0`. It is written under another name and moved to its own when the disk holds it.
So a kill leaves the file of an earlier epoch, or the new one, and never half of one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from shared.core.files import write_whole
from shared.runs.decode import DamagedError, name_file, parse_json, read_arrays
from shared.runs.schema import Amount, Name

CHECKPOINT = "checkpoint.npz"
VERSION = 1
MOST_BYTES = 64_000_000_000
FACTS = "facts"
Epoch = Annotated[int, Meta(ge=1, le=2**53)]
Plain = bool | int | str | None


class RandomState(msgspec.Struct, frozen=True):
    """The random generators of Python and NumPy, but for their arrays.

    A float is a hexadecimal text, since JSON has no infinity.
    """

    python_place: Annotated[int, Meta(ge=0, le=624)]
    python_gauss: str | None
    numpy_place: Annotated[int, Meta(ge=0, le=624)]
    numpy_has_gauss: Literal[0, 1]
    numpy_gauss: str

    def __post_init__(self) -> None:
        for text in (self.python_gauss, self.numpy_gauss):
            float.fromhex(text or "0")


class Facts(msgspec.Struct, frozen=True):
    """What a checkpoint says about itself.

    Attributes:
        version: Of this form.
        epoch: The epoch after which it was written.
        best_epoch: The best one on validation so far; None: none had a valid score.
        seconds: Training time up to there.
        random: See `RandomState`.
        callbacks: Numbers that each callback of the recipe keeps, floats as hexadecimal
            text.
    """

    version: Literal[1]
    epoch: Epoch
    best_epoch: Epoch | None
    seconds: Amount
    random: RandomState
    callbacks: list[dict[Name, Plain]]

    def __post_init__(self) -> None:
        for numbers in self.callbacks:
            for value in numbers.values():
                float.fromhex(value) if isinstance(value, str) else None


@dataclass(frozen=True)
class Checkpoint:
    """A training after one of its epochs.

    Attributes:
        facts: See `Facts`.
        arrays: `model` and `optimizer`: the values of all variables, in order; `best`:
            the weights of the best epoch, empty if that is `facts.epoch`; `random`: the
            states of the random generators of Python and NumPy.
    """

    facts: Facts
    arrays: dict[str, list[np.ndarray]] = field(repr=False)


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> int:
    """Write `checkpoint.npz`, which replaces the one before.

    Returns:
        Its size in bytes.
    """
    facts = json.dumps(msgspec.to_builtins(checkpoint.facts)).encode()
    arrays: dict[str, Any] = {FACTS: np.frombuffer(facts, np.uint8)}
    for kind, values in checkpoint.arrays.items():
        arrays |= {f"{kind}/{k}": value for k, value in enumerate(values)}

    def write(part: Path) -> None:
        with part.open("wb") as file:
            np.savez(file, **arrays)

    write_whole(folder / CHECKPOINT, write, durable=True)
    return (folder / CHECKPOINT).stat().st_size


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read the checkpoint of a run folder.

    Raises:
        DamagedError: If there is none, or it cannot be used.
    """
    found = read_arrays(folder / CHECKPOINT, MOST_BYTES)
    with name_file(CHECKPOINT):
        if FACTS not in found:
            raise ValueError("without its facts")
        content = parse_json(found.pop(FACTS).tobytes())
        if content.get("version") != VERSION:
            raise DamagedError(
                f"{CHECKPOINT} has version {content.get('version')}, and this code "
                f"reads version {VERSION}"
            )
        try:
            facts = msgspec.convert(content, Facts)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        arrays = _group(found)
        kinds = [(state.dtype.name, state.shape) for state in arrays["random"]]
        if kinds != [("uint32", (624,))] * 2:
            raise ValueError("without the states of the random generators")
        return Checkpoint(facts, arrays)


def _group(found: dict[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Return the arrays by kind, in the order of their numbers."""
    arrays: dict[str, list[np.ndarray]] = {
        kind: [] for kind in ("model", "optimizer", "best", "random")
    }
    for kind, values in arrays.items():
        while (name := f"{kind}/{len(values)}") in found:
            values.append(found.pop(name))
    if found:
        raise ValueError(f"holds {sorted(found)[0]}, which has no place")
    return arrays
