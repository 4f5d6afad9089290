"""The report page as one HTML file that loads nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
from bokeh.resources import Resources
from markupsafe import Markup

from shared.report.collect import collect, find_groups, scan_folders
from shared.report.matrix import VerdictCache
from shared.report.overview import format_spread
from shared.report.pictures import embed_pictures
from shared.report.sweeps import Sweep, describe_sweeps, list_drawn, read_sweeps
from shared.runs.groups import Group
from shared.runs.reader import describe_problems
from shared.runs.terminal import format_score

LIMIT = 5_000_000  # bytes of the page
ROOM_FOR_NOTES = 8_000  # bytes
SAMPLE = 160  # runs of a page that tells how many fit
MANY = 800  # runs; a page of fewer is built as a whole first
HERE = Path(__file__).resolve().parent
SCRIPTS = ("table.js", "panel.js", "curves.js", "sweep.js", "page.js")
SWEEP_SCRIPTS = ("table.js", "panel.js", "sweep.js", "sweep_page.js")
HISTORY_KEYS = ("history", "baselines", "metrics", "state")
BASELINE_KEYS = ("name", "is_best_achievable", "validation")
DASHES = ("", "8 4", "2 3", "8 3 2 3")  # of `LineStyle.dash`, as in panel.js
FLAG = re.compile(r"(--[\w-]+)")


def build_page(
    folders: Mapping[str, Path],
    get_verdicts: VerdictCache | None = None,
    stamp: str = "",
    sweeps_folder: Path | None = None,
) -> str:
    """Return the whole page, below `LIMIT` bytes.

    If the page is too large, pictures are left out first, then the oldest runs. The
    page says so.

    Args:
        folders: Source (`own` or `reference`) -> folder of all its runs.
        get_verdicts: Returns verdicts on groups; None shows no verdicts.
        stamp: Identifies the state of the runs. A page with a stamp reloads itself
            when the server has another one.
        sweeps_folder: Folder of all sweeps; None shows no sweeps.

    Raises:
        UserError: If there is no run with an epoch.
    """
    scanned = scan_folders(folders)
    sweeps, left_out_sweeps = read_sweeps(sweeps_folder)

    def build(
        most: int | None, verdicts: VerdictCache | None
    ) -> tuple[list[Group], dict[str, Any], list[str], str]:
        pairs, notes = find_groups(folders, most, scanned)
        content = collect(pairs, verdicts)
        notes += left_out_sweeps
        page = render(content, notes, {}, stamp, sweeps)
        return [group for _, group in pairs], content, notes, page

    def measure(most: int) -> int:
        return len(build(most, None)[-1].encode())

    most = _guess_most(sum(len(found.runs) for found in scanned.values()), measure)
    while True:
        groups, content, notes, bare = build(most, get_verdicts)
        room = LIMIT - len(bare.encode()) - ROOM_FOR_NOTES
        if room > 0 or not groups:
            break
        most = sum(len(group.runs) for group in groups) * 4 // 5
    complete = list(notes)
    pictures, left_out = embed_pictures(groups, room - _count_frames(groups))
    if left_out:
        notes.append(
            f"Not shown, to keep the file small: pictures ({left_out}); they are in "
            "the run folders."
        )
    notes += describe_problems(run for group in groups for run in group.runs)
    if get_verdicts:
        notes += get_verdicts.problems
    if not pictures and notes == complete:
        return bare
    return render(content, notes, pictures, stamp, sweeps)


def _guess_most(count: int, measure: Callable[[int], int]) -> int | None:
    """Return how many runs a page probably has room for; None if for all.

    Two small pages, without verdicts, tell how many bytes a run takes.

    Args:
        count: How many runs there are.
        measure: Returns the bytes of a page of at most so many runs.
    """
    if count <= MANY:
        return None
    small, large = measure(SAMPLE // 2), measure(SAMPLE)
    each = max(1.0, (large - small) / (SAMPLE - SAMPLE // 2))
    most = SAMPLE + int(0.97 * (LIMIT - ROOM_FOR_NOTES - large) / each)
    return None if most >= count else max(1, most)


def _count_frames(groups: Sequence[Group]) -> int:
    """Return an upper limit for the bytes of the frames around the pictures."""
    return 1500 * sum(len(group.runs) for group in groups)


def render(
    content: Mapping[str, Any],
    notes: Sequence[str],
    pictures: Mapping[str, list[dict[str, str]]],
    stamp: str = "",
    sweeps: Sequence[Sweep] = (),
) -> str:
    """Return the page of some content.

    Args:
        content: From `collect`.
        notes: Sentences about what is not shown.
        pictures: From `embed_pictures`.
        stamp: As in `build_page`.
        sweeps: From `read_sweeps`.
    """
    described = describe_sweeps(sweeps)
    drawn = {
        "stamp": stamp,
        "trials": list_drawn(described),
        "sets": [
            {
                "key": one["key"],
                "metrics": one["metrics"],
                "baselines": [{k: b[k] for k in BASELINE_KEYS}
                              for b in one["baselines"]],
                "groups": [{k: g[k] for k in ("label", "runs", "state")}
                           | asdict(g["style"]) for g in one["groups"]],
            }
            for one in content["sets"]
        ],
        "runs": {
            key: {name: run[name] for name in HISTORY_KEYS}
            | {"seed": run["figures"]["seed"], "best": run["figures"]["best_epoch"]}
            for key, run in content["runs"].items()
        },
    }  # fmt: skip
    return _fill(
        "page.html", SCRIPTS, content=content, notes=notes, pictures=pictures,
        drawn=drawn, stamp=stamp, dashes=DASHES, sweeps=described,
    )  # fmt: skip


def render_sweep(sweep: Sweep) -> str:
    """Return the page of one sweep, which loads nothing else."""
    described = describe_sweeps([sweep])
    return _fill(
        "sweep_page.html", SWEEP_SCRIPTS, sweeps=described, drawn=list_drawn(described)
    )


def _fill(template: str, names: Sequence[str], **values: Any) -> str:
    """Fill a template. All text is escaped, and only scripts with a hash run."""
    scripts = [*Resources(mode="inline", components=["bokeh", "bokeh-api"]).js_raw]
    scripts.append("\n".join(_read(name) for name in names))
    return _load_template(template).render(
        style=Markup(_read("page.css")),
        scripts=[Markup(script) for script in scripts],
        hashes=[_hash(script) for script in scripts],
        **values,
    )


@functools.cache
def _load_template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score"] = format_score
    environment.filters["spread"] = format_spread
    environment.filters["flags"] = keep_flags_whole
    return environment.get_template(name)


def keep_flags_whole(label: str) -> Markup:
    """Return a label as HTML in which no line breaks within a flag."""
    parts = FLAG.split(label)  # every second part is a flag
    return Markup("").join(
        Markup('<span class="flag">{}</span>').format(part) if k % 2 else part
        for k, part in enumerate(parts)
    )


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
