"""What one part of a recipe must know about its other parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Jit = Literal["auto", "on", "off"]
MaskSide = Literal["left", "right"]


@dataclass(frozen=True)
class Context:
    """Facts that one part of a recipe needs about the other parts.

    Attributes:
        mask_side: The side of a sequence with masked padding; None without a mask.
        can_mask: Whether the recipe can mask padding.
        jit: Whether XLA compiles the training step.
        even: Whether all batches have the same number of steps.
        sparse: Whether the embedding's gradient has one row per occurrence of a word.
        gpus: Number of GPUs; None counts them when they matter.
    """

    mask_side: MaskSide | None = None
    can_mask: bool = False
    jit: Jit = "auto"
    even: bool = True
    sparse: bool = False
    gpus: int | None = None
