"""Lists of seeds as a user types them: `0-4,7`."""

from __future__ import annotations

import re

from shared.core.errors import UserError


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of a list of numbers and ranges.

    For example, `0-2,7` gives 0, 1, 2 and 7.

    Raises:
        UserError: If the text is no such list, or names a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            raise UserError(
                f"--seeds {text}: takes numbers and ranges, e.g. --seeds 0-4 or "
                "--seeds 0,3,7."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last >= 2**32 or last - first >= 1000:
            raise UserError(
                f"--seeds {text}: takes at most 1,000 seeds, each from 0 to 2^32 - 1."
            )
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {text}: names a seed twice. Name each seed once.")
    return seeds
