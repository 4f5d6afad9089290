"""The folder for results that can be computed again.

make clean-caches        # removes it
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CACHE_VARIABLE = "RNN_RECIPES_CACHE"
CACHED = ("baselines", "bars", "kernels", "imdb-*-v*.npz")
"""What the suite writes into the folder. Version 0.1 wrote `bars`."""


def cache_dir() -> Path:
    """Return the folder for what can be computed again (`RNN_RECIPES_CACHE`)."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("rnn-recipes")


def main() -> None:
    """Remove what the suite wrote into the cache folder, and nothing else in it."""
    folder = cache_dir()
    found = sorted(path for pattern in CACHED for path in folder.glob(pattern))
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    print(f"Removed {len(found)} files and folders from {folder}")


if __name__ == "__main__":
    main()
