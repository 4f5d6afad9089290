"""The report page as one HTML text that loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from bokeh.resources import Resources
from markupsafe import Markup

from shared.groups import Group
from shared.plots import COLOURS
from shared.report.collect import collect, find_groups
from shared.report.matrix import Judge
from shared.report.pictures import embed_pictures
from shared.tables import spell

LIMIT = 5_000_000  # bytes of the page
HERE = Path(__file__).resolve().parent
SCRIPTS = ("table.js", "plots.js", "page.js")
HISTORY_KEYS = ("history", "bars", "metrics", "state")


def build_page(
    folders: Mapping[str, Path], judge: Judge | None = None, stamp: str = ""
) -> str:
    """Return the whole page, below `LIMIT` bytes.

    What does not fit is left out, and the page says so: pictures first, then the
    oldest runs.

    Args:
        folders: Source, `own` or `reference` -> folder of all its runs.
        judge: Gives the verdicts; None leaves them out.
        stamp: Of the state shown; a page with one looks for a newer one by itself.

    Raises:
        UserError: If there is no run with an epoch.
    """
    most = None
    while True:
        pairs, notes = find_groups(folders, most)
        groups = [group for _, group in pairs]
        content = collect(pairs, judge)
        bare = render(content, notes, {}, stamp)
        room = LIMIT - len(bare.encode()) - 1000  # for what is said of pictures
        if room > 0:
            break
        most = sum(len(group.runs) for group in groups) // 2
    pictures, left_out = embed_pictures(groups, room - _count_frames(groups))
    if left_out:
        notes.append(
            "Not shown, to keep the file small or because they cannot be read: "
            f"pictures ({left_out}); they lie in the run folders."
        )
    return render(content, notes, pictures, stamp) if pictures or left_out else bare


def _count_frames(groups: Sequence[Group]) -> int:
    """Return bytes enough for what stands around the pictures."""
    return 1500 * sum(len(group.runs) for group in groups)


def render(
    content: Mapping[str, Any],
    notes: Sequence[str],
    pictures: Mapping[str, list[dict[str, str]]],
    stamp: str = "",
) -> str:
    """Fill the template. All text is escaped; scripts are named by their hashes.

    Args:
        content: Of `collect`.
        notes: Sentences on what is not shown.
        pictures: Of `embed_pictures`.
        stamp: As in `build_page`.
    """
    scripts = [*Resources(mode="inline", components=["bokeh", "bokeh-api"]).js_raw]
    scripts.append("\n".join(_read(name) for name in SCRIPTS))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score"] = spell
    drawn = {
        "colours": COLOURS,
        "stamp": stamp,
        "sets": [
            {
                "key": one["key"],
                "metrics": one["metrics"],
                "bars": [{k: b[k] for k in ("name", "is_floor", "validation")}
                         for b in one["bars"]],
                "groups": [{k: g[k] for k in ("label", "runs", "state")}
                           for g in one["groups"]],
            }
            for one in content["sets"]
        ],
        "runs": {
            key: {name: run[name] for name in HISTORY_KEYS}
            | {"seed": run["figures"]["seed"], "best": run["figures"]["best_epoch"]}
            for key, run in content["runs"].items()
        },
    }  # fmt: skip
    return environment.get_template("page.html").render(
        content=content,
        notes=notes,
        pictures=pictures,
        drawn=drawn,
        stamp=stamp,
        style=Markup(_read("page.css")),
        scripts=[Markup(script) for script in scripts],
        hashes=[_hash(script) for script in scripts],
    )


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
