"""Check a `best.keras` before Keras builds a model from it.

A damaged or foreign file must not run code, read other files, or need memory far beyond
its own size. Keras' safe mode refuses code. It does not refuse a layer of a billion
units, and it does not notice weights of another model with the same shapes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.core.text import shorten
from shared.kernels.saved import Restore, read_restore
from shared.runs.decode import open_regular, parse_json
from shared.runs.legacy import upgrade_model_facts
from shared.runs.reader import MODEL_FACTS, MODEL_TEXTS

if TYPE_CHECKING:
    import h5py

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
ASSETS = "assets/"  # vocabularies of lookup layers
PARTS = {
    "activations", "constraints", "dtype_policies", "initializers", "layers", "losses",
    "metrics", "ops", "optimizers", "random", "regularizers",
}  # fmt: skip
"""Parts of Keras whose classes and functions a model may have."""
MODELS = {"DTypePolicy", "Functional", "Model", "Sequential"}
FOREIGN = {"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"}
"""Layers of Keras that run code or read other files."""
PLAIN = {"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__",
         "__tensor__"}  # fmt: skip
"""Marks of Keras for values that JSON lacks."""
LARGEST_SIZE = 1_000_000
"""A model with fewer weights may have steps and shapes up to this size."""
LARGEST_METRIC = 4096
"""Metrics make arrays of two of their sizes, such as thresholds and labels."""
NO_SIZES = {"mask_token", "mask_value", "oov_token", "salt", "seed", "shared_object_id",
            "value", "vocabulary"}  # fmt: skip


def check_model_file(path: Path) -> Restore:
    """Refuse a file that no run wrote as it is.

    Args:
        path: A `best.keras`.

    Returns:
        What Keras did not save of the model.

    Raises:
        ValueError: With the reason. Damaged files raise other errors, too.
        OSError: If the file cannot be read.
    """
    with open_regular(path, sys.maxsize) as file, zipfile.ZipFile(file) as archive:
        names = _check_members(archive, path.stat().st_size)
        facts = parse_json(archive.read(MODEL_FACTS))
        _check_hashes(archive, names, facts.get("sha256"))
        config, weights = archive.read(CONFIG), archive.read(WEIGHTS)
    restore = read_restore(upgrade_model_facts(facts)["restore"])
    stored = _count_stored(weights)
    _check_config(json.loads(config), stored)
    if (needed := _count_needed(config)) > stored:
        raise ValueError(f"{needed:,} numbers in the model, {stored:,} in the file")
    return restore


def read_texts_part(path: Path) -> bytes | None:
    """Return what `best.keras` keeps to read texts, as JSON; None if it has no texts.

    Args:
        path: Checked by `check_model_file`.

    Raises:
        OSError: If the file cannot be read.
        zipfile.BadZipFile: If it is damaged.
    """
    with open_regular(path, sys.maxsize) as file, zipfile.ZipFile(file) as archive:
        if MODEL_TEXTS not in archive.namelist():
            return None
        return archive.read(MODEL_TEXTS)


def _check_members(archive: zipfile.ZipFile, size: int) -> list[str]:
    """Return the names in the archive. Nothing in it unpacks to more than the file."""
    members = archive.infolist()
    names = [member.filename for member in members]
    required = {CONFIG, METADATA, WEIGHTS, MODEL_FACTS}
    if missing := required - set(names):
        raise ValueError(f"without {', '.join(sorted(missing))}")
    for name in set(names) - required - {MODEL_TEXTS}:
        if not name.startswith(ASSETS) or ".." in name.split("/"):
            raise ValueError(f"holds {shorten(name, 60)}, which no model has")
    if len(set(names)) < len(names):
        raise ValueError("holds a name twice")
    for member in members:
        is_plain = member.compress_type == zipfile.ZIP_STORED
        if not is_plain or not member.file_size == member.compress_size <= size:
            raise ValueError(f"{shorten(member.filename, 60)} is packed")
    return names


def _check_hashes(
    archive: zipfile.ZipFile, names: list[str], expected: dict[str, str] | None
) -> None:
    """Refuse members that are not those of the note; older notes have no hashes."""
    if expected is None:
        return
    found = {
        name: hashlib.sha256(archive.read(name)).hexdigest()
        for name in names
        if name != MODEL_FACTS
    }
    if found != expected:
        raise ValueError("its parts do not fit each other")


def _count_stored(content: bytes) -> int:
    """Return how many numbers a file of weights holds.

    Raises:
        ValueError: If it holds anything else, or refers to other files.
    """
    import h5py

    count = size = 0
    with h5py.File(io.BytesIO(content), "r") as file:
        for dataset in _list_datasets(file):
            # Unpacking, or reading what was never written, could fill the memory.
            is_plain = dataset.chunks is None and not dataset.external
            if not is_plain or dataset.is_virtual or dataset.dtype.kind not in "biuf":
                raise ValueError("its weights are not plain numbers")
            if dataset.shape is None or dataset.id.get_storage_size() != dataset.nbytes:
                raise ValueError("some of its weights were not written")
            count += dataset.size
            size += dataset.nbytes
    if size > len(content):
        raise ValueError("some of its weights share their place")
    return count


def _list_datasets(file: h5py.File) -> Iterator[h5py.Dataset]:
    """Yield every dataset once."""
    import h5py

    seen = {h5py.h5o.get_info(file.id).addr}
    groups: list[h5py.Group] = [file]
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError("its weights hold a link")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise ValueError("its weights hold a part twice")
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif isinstance(item, h5py.Dataset):
                yield item


def _check_config(config: Any, stored: int) -> None:
    """Refuse classes that a run's model cannot have, and sizes that it cannot need."""
    if not isinstance(config, dict):
        raise ValueError(f"{CONFIG} is not a model")
    for _, value in _walk(config):
        if isinstance(value, dict) and "class_name" in value:
            _check_class(value)
    compiled = config.pop("compile_config", None) or {}
    _check_sizes(config, max(stored, LARGEST_SIZE))
    _check_sizes({k: v for k, v in compiled.items() if k != "optimizer"},
                 LARGEST_METRIC)  # fmt: skip


def _check_class(part: dict[str, Any]) -> None:
    import keras

    name, module = part["class_name"], part.get("module")
    if part.get("registered_name") in keras.saving.get_custom_objects():
        return
    if module is None and name in PLAIN:
        return
    if module == "builtins" and name == "function":
        return
    names = str(module).replace("keras.src.", "keras.", 1).split(".")
    is_model = names[:2] in (["keras"], ["keras", "models"]) and name in MODELS
    is_part = names[0] == "keras" and names[1:2] and names[1] in PARTS
    if name in FOREIGN or not (is_model or is_part):
        raise ValueError(f"it has {shorten(f'{module}.{name}', 60)}, which is unknown")


def _check_sizes(config: Any, largest: int) -> None:
    for key, value in _walk(config):
        if isinstance(value, int) and abs(value) > largest and key not in NO_SIZES:
            raise ValueError(f"{shorten(str(key), 60)} is too large for its weights")


def _walk(config: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every value in a JSON object with its name. A list names its items."""
    values = [(None, config)]
    while values:
        key, value = values.pop()
        yield key, value
        if isinstance(value, dict):
            values.extend(value.items())
        elif isinstance(value, list):
            values.extend((key, item) for item in value)


def _count_needed(config: bytes) -> int:
    """Return how many numbers the model of a config needs. Allocates none of them."""
    import keras

    def build() -> int:
        # In this scope, a variable has a shape and no memory.
        with keras.StatelessScope(initialize_variables=False):
            parts = json.loads(config) | {"compile_config": None}
            model = keras.saving.deserialize_keras_object(parts, safe_mode=True)
            return sum(math.prod(variable.shape) for variable in model.variables)

    # Keras keeps a list of such variables for each thread, and fills them later. The
    # list ends with the thread.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(build).result()
