"""Damaged run folders beside good ones: every good run is still shown."""

from __future__ import annotations

import csv
import functools
import tempfile
from pathlib import Path
from random import Random

from shared.compare.__main__ import main as compare
from shared.report.__main__ import main as report
from shared.runs.manage import main as manage
from tests.runs.damages import FILES, Damage
from tests.runs.test_damaged_runs import DAMAGES, NAME, OLD, OLD_DAMAGES, copy_run
from tests.torture.outcome import REFUSED, SHOWN, check, run_here

GOOD = (1, 2)  # seeds
SHARE_OF_NOISE = 0.3


def attempt(random: Random, place: Path, list_only: bool = False) -> str:
    """Damage one run folder beside two good ones, and show them in all three ways.

    Args:
        random: Draws the damage.
        place: An empty folder.
        list_only: Show them in `make runs` only, which takes a twentieth of the time.
    """
    name, damage, old = draw_damage(random)
    print(name)
    root = place / "runs"
    for seed in GOOD:
        copy_run(root, seed)
    damage(copy_run(root, 0, OLD) if old else copy_run(root, 0))

    listed = _show(manage, root)
    for seed in GOOD:
        check(f"{NAME[:-1]}{seed}" in listed, f"make runs lacks seed {seed}: {listed}")
    check(f"{NAME[:-1]}0" in listed, "make runs does not name the damaged folder")
    refused = "Cannot be read" in listed
    if list_only:
        return REFUSED if refused else SHOWN

    compared = _show(compare, root, "--to", str(place / "to"))
    found = [row.items() for row in read_rows(place / "to")]
    for row in read_good_rows():
        check(
            any(row.items() <= items for items in found),
            f"compare lacks the good run of seed {row['seed']}, or its numbers",
        )
    page = place / "report.html"
    _show(report, root, "--to", str(page), "--reference", str(place / "none"))
    text = page.read_text()
    for seed in GOOD:
        check(f"{NAME[:-1]}{seed}" in text, f"the report lacks seed {seed}")
    check(refused == ("Cannot be read" in compared), "compare and runs do not agree")
    return REFUSED if refused else SHOWN


def draw_damage(random: Random) -> tuple[str, Damage, bool]:
    """Return a damage, its name, and whether it needs a folder of the old form."""
    old = random.random() < 0.3
    if random.random() > SHARE_OF_NOISE:
        return *random.choice(OLD_DAMAGES if old else DAMAGES), old
    file, seed = random.choice(FILES), random.randrange(10**9)

    def damage(folder: Path) -> None:
        path = folder / file
        if path.is_file():
            path.write_bytes(change_bytes(Random(seed), path.read_bytes()))

    return f"{file}: noise {seed}", damage, old


def change_bytes(random: Random, whole: bytes) -> bytes:
    """Flip, cut, repeat, insert, delete or overwrite some bytes of a file."""
    changed = bytearray(whole)
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        start = random.randrange(len(changed) + 1)
        stop = min(len(changed), start + random.choice([1, 2, 4, 16, 300]))
        part = Random(random.randrange(2**32)).randbytes(stop - start)
        way = random.randrange(6)
        if way == 0 and start < len(changed):
            changed[start] ^= 1 << random.randrange(8)
        elif way == 1:
            del changed[start:]
        elif way == 2:
            changed[start:start] = changed[start:stop]
        elif way == 3:
            changed[start:start] = part
        elif way == 4:
            del changed[start:stop]
        else:
            changed[start:stop] = part
    return bytes(changed)


def read_rows(folder: Path) -> list[dict[str, str]]:
    """Return what `compare` wrote on each run. Its label depends on the other runs."""
    with (folder / "all-runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["run"]
    return rows


@functools.cache
def read_good_rows() -> list[dict[str, str]]:
    """Return the same for the good runs alone."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for seed in GOOD:
            copy_run(place / "runs", seed)
        _show(compare, place / "runs", "--to", str(place / "to"))
        return read_rows(place / "to")


def _show(main, root: Path, *flags: str) -> str:
    status, output, errors = run_here(main, ["--results-dir", str(root), *flags])
    check(status == 0, f"status {status}: {errors}")
    check(not errors, f"on stderr: {errors}")
    return output
