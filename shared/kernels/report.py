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
from shared.errors import UserError
from shared.flags import spell_value
from shared.kernels.plan import LayerPlan, plan_layer, read_config
from shared.recurrent import GatedConfig, MaskSide, RecurrentConfig

# Changes to a layer's flags, one at a time; then the two that the mask makes.
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"implementation": 1},
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
        config: A recipe's checked config.

    Raises:
        UserError: If the recipe has no recurrent layer.
    """
    layers = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if isinstance(getattr(config, field.name), RecurrentConfig)
    }
    if not layers:
        raise UserError("--kernels: this recipe has no recurrent layer.")
    sides = [
        getattr(config, field.name).mask_side
        for field in dataclasses.fields(config)
        if hasattr(getattr(config, field.name), "mask_side")
    ]
    gpus = count_gpus()
    console = Console(highlight=False)
    for name, layer in layers.items():
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("flags", no_wrap=True)
        table.add_column(f"here ({gpus} GPU)" if gpus else "here (no GPU)")
        if not gpus:
            table.add_column("with a GPU")
        for flags, *told in list_rows(name, layer, sides, gpus):
            table.add_row(flags, *told)
        console.print(table)


def list_rows(
    name: str, layer: RecurrentConfig, sides: list[MaskSide | None], gpus: int
) -> list[tuple[str, ...]]:
    """Return flags, the plan here and, without a GPU, the plan with one.

    Args:
        name: Of the layer.
        layer: Its flags as given.
        sides: The side of masked padding in a list, if the recipe can mask at all.
        gpus: How many there are.
    """
    cases = [(change, sides[0] if sides else None) for change in CHANGES]
    if sides:
        cases += [({}, "left"), ({}, "right")]
    rows, seen = [], set()
    for change, side in cases:
        if not set(change) <= {field.name for field in dataclasses.fields(layer)}:
            continue
        if not isinstance(layer, GatedConfig) and {"implementation", "cudnn"} & set(
            change
        ):
            continue
        changed = dataclasses.replace(layer, **change)
        if (changed, side) in seen:
            continue
        seen.add((changed, side))
        flags = " ".join(spell_value(flag, value) for flag, value in change.items())
        if side and not change:
            flags = f"--mask --padding {side}"
        plans = [_plan(name, changed, side, gpus)]
        if not gpus:
            plans.append(_plan(name, changed, side, 1))
        told = (plan.spell().partition(": ")[2] for plan in plans)
        rows.append((flags or "as given", *told))
    return rows


def _plan(
    name: str, layer: RecurrentConfig, side: MaskSide | None, gpus: int
) -> LayerPlan:
    """Derive a plan from flags, with what the suite itself settles."""
    kind = type(layer).__name__.removesuffix("Config")
    traits = read_config(layer, name, kind)
    try:
        settled, _ = layer.resolve(side)
        traits = read_config(settled, name, kind)
    except UserError:
        pass  # refused for another reason than its kernel
    xla, no_xla = False, "auto leaves it off without a GPU"
    if gpus:
        # Keras asks each layer; one that may take cuDNN says no, mask or not.
        may = traits.use_cudnn is not False and not [
            obstacle
            for obstacle in traits.list_obstacles(None, gpus)
            if obstacle != "recurrent dropout"
        ]
        xla, no_xla = not may, "auto leaves it off where a layer may take cuDNN"
    return plan_layer(traits, side, gpus, xla, no_xla)
