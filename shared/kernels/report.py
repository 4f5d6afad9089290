"""What a recipe's recurrent layer runs on, for every sensible choice of flags.

    make kernels RECIPE=imdb-gru
    python recipes/imdb_gru.py --kernels --mask

Derived from the flags: nothing is built or trained. A run proves it for its own.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from shared.backend import count_gpus
from shared.errors import UserError, spell_value
from shared.kernels.plan import plan_layer, read_config, spell_no_xla
from shared.recurrent import (
    GatedConfig,
    RecurrentConfig,
    Surroundings,
)

# Changes to a layer's flags, one at a time; then the two that the mask makes.
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"kernel": "keras"},
    {"kernel": "keras", "implementation": 1},
    {"cudnn": "off"},
    {"dropout": 0.2},
    {"dropout": 0.2, "implementation": 1},
    {"recurrent_dropout": 0.2},
    {"unroll": True},
    {"activation": "relu"},
    {"recurrent_activation": "hard_sigmoid"},
    {"use_bias": False},
    {"reset_after": False},
    {"go_backwards": True},
    {"return_sequences": True},
)


def show_kernels(config: Any) -> None:
    """Print the kernels for a recipe's flags as given, and for changes to them.

    Args:
        config: A recipe's config, checked, as asked for.

    Raises:
        UserError: If the recipe has no recurrent layer of Keras.
    """
    layers = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if isinstance(getattr(config, field.name), RecurrentConfig)
    }
    if not layers:
        raise UserError("--kernels: this recipe has no recurrent layer of Keras.")
    decided: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        part = getattr(config, field.name)
        decided |= part.decides() if hasattr(part, "decides") else {}
    around = Surroundings(**decided)
    gpus = count_gpus()
    console = Console(highlight=False)
    for name, layer in layers.items():
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("flags", no_wrap=True)
        table.add_column(f"here ({gpus} GPU)" if gpus else "here (no GPU)")
        if not gpus:
            table.add_column("with a GPU")
        for flags, *told in list_rows(
            name, layer, around, "mask_side" in decided, gpus
        ):
            table.add_row(flags, *told)
        console.print(table)


def list_rows(
    name: str, layer: RecurrentConfig, around: Surroundings, masks: bool, gpus: int
) -> list[tuple[str, ...]]:
    """Return flags, the plan here and, without a GPU, the plan with one.

    Args:
        name: Of the layer.
        layer: Its flags as given.
        around: What the rest of the recipe decides.
        masks: Whether the recipe can mask at all.
        gpus: How many there are.
    """
    side = around.mask_side
    cases = [(change, side, around.jit, "") for change in CHANGES]
    cases.append(({}, side, "on", "--jit on"))
    if masks:
        cases += [
            (change, side, around.jit, f"--mask --padding {side}")
            for change in ({}, {"kernel": "keras"})
            for side in ("left", "right")
        ]
    rows, seen = [], set()
    for change, side, jit, also in cases:
        if not set(change) <= {field.name for field in dataclasses.fields(layer)}:
            continue
        if not isinstance(layer, GatedConfig) and {"implementation", "cudnn"} & set(
            change
        ):
            continue
        changed = dataclasses.replace(layer, **change)
        if (changed, side, jit) in seen:
            continue
        seen.add((changed, side, jit))
        told_flags = [spell_value(flag, value) for flag, value in change.items()]
        flags = " ".join(filter(None, [*told_flags, also]))
        here = dataclasses.replace(around, mask_side=side, jit=jit)
        told = [_tell(name, changed, here, g) for g in ([gpus] if gpus else [0, 1])]
        rows.append((flags or "as given", *told))
    return rows


def _tell(name: str, layer: RecurrentConfig, around: Surroundings, gpus: int) -> str:
    """Say what flags would run on, with what the suite itself settles."""
    try:
        settled, _ = layer.resolve(dataclasses.replace(around, gpus=gpus))
    except UserError as error:
        return f"refused: {error}"
    traits = read_config(settled, name, type(layer).__name__.removesuffix("Config"))
    compiled = settled.kernel == "compiled"
    xla = around.jit == "on"
    if gpus and around.jit == "auto" and not compiled:
        # Keras asks each layer; one that may take cuDNN says no, mask or not.
        xla = traits.use_cudnn is False or any(
            obstacle != "recurrent dropout"
            for obstacle in traits.list_obstacles(None, gpus)
        )
    no_xla = spell_no_xla(around.jit, gpus)
    plan = plan_layer(traits, around.mask_side, gpus, xla, no_xla, compiled)
    return plan.spell().partition(": ")[2]
