"""Which kernel a recipe's recurrent layer runs on, for every useful choice of flags.

    make kernels RECIPE=imdb-gru
    python recipes/imdb_gru.py --kernels --mask

The table comes from the flags alone: nothing is built or trained. Every run checks
its own line against what really ran.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from shared.core.backend import count_gpus
from shared.core.context import Context
from shared.core.errors import UserError, format_value
from shared.core.flags import gather_context
from shared.kernels.plan import format_no_xla, plan_layer, read_config
from shared.layers.recurrent import GatedConfig, RecurrentConfig

# Changes to a layer's flags, one at a time. `list_rows` adds XLA and masks.
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
    """Print the kernels for a recipe's flags, and for changes to them.

    Args:
        config: A recipe's config, validated, before its defaults are resolved.

    Raises:
        UserError: If the recipe has no recurrent layer of Keras.
    """
    layers = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if isinstance(getattr(config, field.name), RecurrentConfig)
    }
    if not layers:
        raise UserError(
            "--kernels: this recipe has no recurrent layer of Keras. Use the flag with "
            "another recipe, e.g. make kernels RECIPE=imdb-gru."
        )
    context = gather_context(config)
    gpus = count_gpus()
    console = Console(highlight=False)
    for name, layer in layers.items():
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("flags", no_wrap=True)
        table.add_column(f"here ({gpus} GPU)" if gpus else "here (no GPU)")
        if not gpus:
            table.add_column("with a GPU")
        for flags, *plans in list_rows(name, layer, context, gpus):
            table.add_row(flags, *plans)
        console.print(table)


def list_rows(
    name: str, layer: RecurrentConfig, context: Context, gpus: int
) -> list[tuple[str, ...]]:
    """Return rows of flags, the plan here and, without a GPU, the plan with one.

    Args:
        name: Of the layer.
        layer: Its flags as given.
        context: What the rest of the recipe decides.
        gpus: Number of GPUs of this machine.
    """
    side = context.mask_side
    cases = [(change, side, context.jit, "") for change in CHANGES]
    cases.append(({}, side, "on", "--jit on"))
    if context.can_mask:
        cases += [
            (change, side, context.jit, f"--mask --padding {side}")
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
        words = [format_value(flag, value) for flag, value in change.items()]
        flags = " ".join(filter(None, [*words, also]))
        here = dataclasses.replace(context, mask_side=side, jit=jit)
        counts = [gpus] if gpus else [0, 1]
        plans = [_describe_plan(name, changed, here, count) for count in counts]
        rows.append((flags or "as given", *plans))
    return rows


def _describe_plan(
    name: str, layer: RecurrentConfig, context: Context, gpus: int
) -> str:
    """Return what flags would run on, once their defaults are resolved."""
    try:
        resolved, _ = layer.resolve_defaults(dataclasses.replace(context, gpus=gpus))
    except UserError as error:
        return f"refused: {error}"
    traits = read_config(resolved, name, type(layer).__name__.removesuffix("Config"))
    compiled = resolved.kernel == "compiled"
    xla = context.jit == "on"
    if gpus and context.jit == "auto" and not compiled:
        # Keras turns XLA off if any layer may use cuDNN, with or without a mask.
        xla = traits.use_cudnn is False or any(
            blocker != "recurrent dropout"
            for blocker in traits.list_cudnn_blockers(None, gpus)
        )
    no_xla = format_no_xla(context.jit, gpus)
    plan = plan_layer(traits, context.mask_side, gpus, xla, no_xla, compiled)
    return plan.describe().partition(": ")[2]
