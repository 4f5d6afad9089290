"""What a reader of the report page sees: names, sentences, pictures, comparisons."""

import csv
import html
import json
import re

import pytest

from shared.compare.tables import list_verdicts
from shared.compare.verdicts import Verdict
from shared.core.files import to_csv
from shared.core.statistics import Difference
from shared.plots.colours import assign_styles, recipe_colour
from shared.plots.scale import needs_log, robust_range
from shared.report.collect import collect, find_groups
from shared.report.entries import MOST_SHOWN
from shared.report.glance import describe_verdicts, list_sentences
from shared.report.matrix import VerdictCache, build_matrix
from shared.report.names import name_groups
from shared.report.overview import MARGIN, build_picture
from shared.report.published import rename
from shared.report.render import build_page
from shared.runs.reader import find_runs
from tests.compare.test_compare import make_run
from tests.helpers import PROJECT
from tests.report.test_report import (
    COUNT_CURVES,
    CURVES,
    FIND_POINT,
    FIND_TOOLTIPS,
    PANEL,
    edit,
    folders_of,
    list_rows,
    show,
)
from tests.runs.test_runs import open_folder
from tests.runs.test_runs import row as make_row

REFERENCE = PROJECT / "results" / "reference"
FAR = f"{PANEL}.model.renderers.find((one) => one.data_source.data.marker)"


def groups_in(tmp_path):
    return find_groups(folders_of(tmp_path))[0]


def name(tmp_path):
    return name_groups(groups_in(tmp_path))


def test_names_say_only_what_differs(tmp_path):
    for lag in (50, 100):
        make_run(tmp_path / "runs", "memory-gru", lag=lag, stop_at=0.01, mask=False)
    make_run(tmp_path / "runs", "memory-lstm", lag=50, stop_at=0.01, mask=True)
    names, shared = name(tmp_path)
    assert names == [
        "memory-gru, lag 100, no mask", "memory-gru, lag 50, no mask",
        "memory-lstm, lag 50, mask",
    ]  # fmt: skip
    assert shared == ["stop at 0.01"]


def test_flags_of_the_split_name_the_data_set(tmp_path):
    for share in (0.1, 0.2):
        make_run(tmp_path / "runs", holdout=share, units=64, roles={"holdout": "split"})
    first, second = collect(groups_in(tmp_path))["sets"]
    assert first["name"] == "imdb (holdout 0.1)"
    assert [group["label"] for group in second["groups"]] == ["imdb-gru, units 64"]
    assert second["shared"] == []


def test_a_name_says_published_only_beside_own_runs(tmp_path):
    make_run(tmp_path / "reference", "imdb-gru")
    assert name(tmp_path)[0] == ["imdb-gru"]
    make_run(tmp_path / "runs", "imdb-gru")
    live = open_folder(tmp_path / "runs", data="imdb", seed=2)
    live.write_progress([make_row(1)], make_row(1))
    found = ["imdb-gru", "imdb-gru, seed 2", "imdb-gru, published"]
    assert name(tmp_path)[0] == found
    live.close("finished")


def test_a_label_is_renamed_only_as_a_whole():
    sentence = "imdb-gru is better than imdb-gru --units 64 and imdb-gru-dropout."
    names = {"imdb-gru": "one", "imdb-gru --units 64": "two"}
    assert rename(sentence, names) == "one is better than two and imdb-gru-dropout."


def verdict_on(first, second, low, high, corrected, is_baseline=False):
    middle, error = (low + high) / 2, (high - low) / 2 / 1.96
    found = Difference(middle, error, 1e9, (5, 5), "paired", (0.0,), 1e-6)
    return Verdict("imdb", first, second, is_baseline, "", found, corrected=corrected)


def test_three_sentences_by_hand(tmp_path):
    make_run(tmp_path / "runs", "imdb-gru", accuracies=(0.6, 0.9))
    make_run(tmp_path / "runs", "imdb-lstm", accuracies=(0.6, 0.8))
    make_run(tmp_path / "runs", "imdb-simple-rnn", accuracies=(0.6, 0.7))
    groups = [group for _, group in groups_in(tmp_path)]
    verdicts = [
        verdict_on("imdb-gru", "majority class", 0.3, 0.5, 0.001, is_baseline=True),
        verdict_on("imdb-lstm", "imdb-gru", -0.02, 0.01, 0.4),
    ]
    assert list_sentences(groups, verdicts) == [
        "imdb-gru has the best validation score; its test accuracy is 0.8900 "
        "(higher is better).",
        'The best simple model, "majority class", reaches 0.5000.',
        'Shown: it beats the simple model "majority class" by 30 to 50 percentage '
        "points. Not shown: a difference from imdb-lstm (-1.0 to 2.0 percentage "
        "points). Not compared yet: with 1 other. The numbers are 95 % intervals of "
        "the difference.",
    ]
    nothing = "Nothing is shown yet: it was compared with no other model."
    assert describe_verdicts(groups[0], groups, verdicts[:0]) == nothing
    assert "switched off" in list_sentences(groups, None)[2]
    assert list_sentences([], None) == ["No run has finished here yet."]


def test_the_picture_of_the_scores_by_hand(tmp_path):
    for seed, accuracy in enumerate((0.71, 0.81)):
        make_run(tmp_path / "runs", seed=seed, accuracies=(0.6, accuracy))
    make_run(tmp_path / "runs", "imdb-lstm", accuracies=(0.6, 0.61))
    groups = [group for _, group in groups_in(tmp_path)]
    styles = assign_styles(group.runs[0].recipe for group in groups)
    picture = build_picture(groups, styles)
    gru, lstm = picture["rows"]
    assert (gru["label"], gru["text"], gru["style"]) == (
        "imdb-gru", "0.7500 ± 0.0707", styles[0],
    )  # fmt: skip
    # The axis ends at the simple model, 0.5, and at the best run, 0.8.
    assert (picture["low"], picture["high"]) == ("0.5000", "0.8000")
    inner = 100 - 2 * MARGIN
    places = [seed["place"] for seed in gru["seeds"]]
    assert places == pytest.approx([MARGIN + inner * 2 / 3, MARGIN + inner], abs=0.01)
    assert lstm["mean"]["place"] == pytest.approx(MARGIN + inner / 3, abs=0.01)
    (mark,) = picture["marks"]
    assert (mark["place"], mark["text"]) == (MARGIN, "0.5000")


def test_six_curves_are_on_and_every_recipe_comes_before_a_second_variant(tmp_path):
    recipes = ("imdb-a", "imdb-b", "imdb-c", "imdb-d", "imdb-e")
    for k, recipe in enumerate(recipes):
        for units in (1, 2, 3):
            value = 0.9 - k / 20 - units / 1000
            make_run(tmp_path / "runs", recipe, accuracies=(0.5, value), units=units)
    (shown,) = collect(groups_in(tmp_path))["sets"]
    on = [group["label"] for group in shown["groups"] if group["shown"]]
    assert len(on) == MOST_SHOWN == 6
    best = [f"{recipe}, units 1" for recipe in recipes]
    assert on == [best[0], "imdb-a, units 2", *best[1:]]


def write_older(folder, pairs, runs):
    """Write a table of verdicts and the table of its runs, as `make compare` does."""
    empty = dict.fromkeys(next(list_verdicts([Verdict("", "", "", False, "")])), "")
    rows = [
        empty | {"data": "imdb", "first": first, "second": second,
                 "second_is_baseline": False, "corrected_p": 0.01,
                 "corrected_low": 0.1, "corrected_high": 0.3,
                 "sentence": f"{first} is better than {second}."}
        for first, second in pairs
    ]  # fmt: skip
    (folder / "old-verdicts.csv").write_text(to_csv(rows))
    table = [{"run": k, "seed": s, "test_best": v} for k, s, v in runs]
    (folder / "old-runs.csv").write_text(to_csv(table))


def test_groups_of_an_older_table_are_found_by_their_scores(tmp_path):
    """Under older defaults, a label may have meant another experiment."""
    folder = tmp_path / "reference"
    make_run(folder, "imdb-gru", accuracies=(0.5, 0.9))
    make_run(folder, "imdb-gru", accuracies=(0.5, 0.8), batching="fixed")
    make_run(folder, "imdb-lstm", accuracies=(0.5, 0.7))
    gru, fixed, lstm = (0.9 - 0.01, 0.8 - 0.01, 0.7 - 0.01)  # as `make_run` has it
    runs = [("imdb-gru", 0, fixed), ("imdb-gru --batching bucketed", 0, gru),
            ("imdb-lstm", 0, lstm), ("imdb-simple-rnn", 0, 0.123)]  # fmt: skip
    pairs = [("imdb-gru", "imdb-lstm"), ("imdb-gru", "imdb-simple-rnn")]
    write_older(folder, pairs, runs)
    (shown,) = collect(groups_in(tmp_path), VerdictCache(folder))["sets"]
    (pair,) = shown["matrix"]["pairs"]
    assert pair["sentence"] == "imdb-gru, batching fixed is better than imdb-lstm."
    # Another seed in the table: the runs are not the same.
    write_older(folder, pairs, [*runs, ("imdb-lstm", 1, lstm)])
    (shown,) = collect(groups_in(tmp_path), VerdictCache(folder))["sets"]
    assert shown["matrix"]["pairs"] == []
    (folder / "old-runs.csv").unlink()
    (problem,) = VerdictCache(folder).problems
    assert "old-runs.csv" in problem


def test_many_groups_have_the_columns_with_most_comparisons(tmp_path):
    names = [f"imdb-{k}" for k in range(20)]
    for recipe in names:
        make_run(tmp_path, recipe)
    groups = [group for _, group in find_groups({"own": tmp_path})[0]]
    verdicts = [verdict_on(names[0], other, 0.1, 0.2, 0.01) for other in names[1:]]
    matrix = build_matrix(verdicts[:-1], groups, {})
    assert len(matrix["columns"]) == 16
    assert len(matrix["rows"]) == 19  # the last one was not compared
    assert matrix["columns"][0] == {"label": names[0], "number": "1"}
    assert matrix["rows"][1]["cells"][0]["result"] == "worse"
    assert len(matrix["pairs"]) == 18
    assert "The list below has every comparison." in matrix["notes"][-1]


def test_every_published_verdict_is_in_the_matrix(tmp_path):
    folders = {"own": tmp_path, "reference": REFERENCE}
    sets = collect(find_groups(folders)[0], VerdictCache(REFERENCE))["sets"]
    with (REFERENCE / "verdicts.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 40
    shown = {one["name"]: one["matrix"] for one in sets}
    for row in rows:
        sentences = [pair["sentence"] for pair in shown[row["data"]]["pairs"]]
        numbers = re.search(r"[-\d.]+ to [-\d.]+", row["sentence"])[0]
        assert any(numbers in sentence for sentence in sentences), row["sentence"]
    by_hand = {
        "imdb": ("imdb-gru", "imdb-bidirectional-lstm", "batching-verdicts.csv"),
        "jena-2020": (
            "weather-stacked-gru",
            "weather-best",
            "weather-best-verdicts.csv",
        ),
    }
    for data, (first, second, _) in by_hand.items():
        columns = [column["label"] for column in shown[data]["columns"]]
        (cells,) = [
            line["cells"] for line in shown[data]["rows"] if line["label"] == first
        ]
        assert cells[columns.index(second)]["result"] == "unclear"


def test_the_page_of_the_published_runs_has_no_jargon_in_its_names(tmp_path):
    page = build_page(
        {"own": tmp_path, "reference": REFERENCE}, VerdictCache(REFERENCE)
    )
    markup = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.S)
    text = html.unescape(re.sub(r"<[^>]+>", "", markup))
    for word in ("(reference)", "efficient in", "s/epoch", "Not reached", "Moves "):
        assert word not in text
    names = re.findall(r'<a class="label"[^>]*>(.*?)</a>', markup)
    assert len(names) > 30
    assert all("--" not in label for label in names)
    assert len(page.encode()) < 5_000_000


CASES = {
    "usual": ([0.7, 0.8, 0.85, 0.86, 0.87, 0.88], [0.5, 0.9], "high"),
    "one exploded": ([0.3, 0.4, 0.35, 0.5, 0.45, 1e6], [0.69], "low"),
    "mostly equal": ([0.5, 0.5, 0.5, 0.5, 0.9], [], ""),
    "one": ([0.5], [], ""),
    "low outlier": ([0.1, 0.85, 0.86, 0.87, 0.88, 0.89, 0.9, 0.91], [0.5], "high"),
    "falling": ([10 ** (-k / 2) for k in range(12)], [0.17, 1e-9], "low"),
}


def test_the_range_of_an_axis_by_hand():
    values, near, keep = CASES["one exploded"]
    # Quartiles 0.3625 and 0.4875: the fence is at 0.4875 + 3 * 0.125.
    assert robust_range(values, near, keep) == pytest.approx((0.3, 0.8625))
    assert robust_range(CASES["mostly equal"][0]) == (0.5, 0.9)
    assert [needs_log(CASES[name][0]) for name in ("usual", "falling")] == [False, True]


def test_pictures_and_page_have_the_same_range(browser, tmp_path):
    make_run(tmp_path / "runs")
    show(browser, tmp_path)
    for values, near, keep in CASES.values():
        is_log = needs_log(values)
        assert browser.evaluate(f"needsLog({json.dumps(values)})") == is_log
        facts = ", ".join(map(json.dumps, (values, near, keep, is_log)))
        found = browser.evaluate(f"robustRange({facts})")
        assert found == pytest.approx(robust_range(values, near, keep, is_log))


def test_the_answer_comes_before_the_details(browser, tmp_path):
    for recipe in ("imdb-gru", "imdb-lstm"):
        make_run(tmp_path / "runs", recipe)
    show(browser, tmp_path)
    assert browser.evaluate(f"{PANEL}.model.below[0].ticker.min_interval") == 1
    places = [
        browser.evaluate(
            f"document.querySelector('{part}').getBoundingClientRect().top"
        )
        for part in (
            "ol.scores",
            "#set-0-plot",
            "table.runs",
            "details.group",
            "#words",
        )
    ]
    assert places == sorted(places)
    assert places[1] < 900, "the first curve is not on the first screen"


def write_losses(path, losses):
    """Give a run these validation losses, one for each epoch."""
    header, *rows = (path / "history.csv").read_text().splitlines()
    names = header.split(",")
    epochs = []
    for line, loss in zip(rows, losses, strict=True):
        epoch = dict(zip(names, line.split(","), strict=True)) | {"val_loss": str(loss)}
        epochs.append(epoch)
    lines = [header, *(",".join(epoch.values()) for epoch in epochs)]
    (path / "history.csv").write_text("\n".join(lines) + "\n")

    def change(summary):
        for part in ("best", "last"):
            summary[part]["val_loss"] = losses[summary[part]["epoch"] - 1]

    edit(path, "summary.json", change)


def test_an_exploded_loss_is_a_mark_at_the_border(browser, tmp_path):
    for recipe in ("imdb-gru", "imdb-lstm", "imdb-simple-rnn"):
        path = make_run(tmp_path / "runs", recipe, accuracies=(0.6, 0.7, 0.8))
        write_losses(path, (0.5, 0.4, 0.3))
    path = make_run(tmp_path / "runs", "imdb-best", accuracies=(0.5, 0.55))
    write_losses(path, (0.6, 1e6))
    assert len(find_runs(tmp_path / "runs")) == 4
    show(browser, tmp_path)
    choose = "(() => {{ const one = document.getElementById('set-0-metric');"
    choose += "one.value = 'loss'; one.dispatchEvent(new Event('change')); }})()"
    browser.evaluate(choose.format())
    browser.wait(f"{FAR}.data_source.data.x.length === 1")
    top = browser.evaluate(f"{PANEL}.model.y_range.end")
    assert top < 2
    x, y, marker = browser.evaluate(
        f"['x', 'y', 'marker'].map((name) => {FAR}.data_source.data[name][0])"
    )
    assert (x, marker) == (2, "triangle")
    assert y < top
    browser.move(*browser.evaluate(FIND_POINT.format(x=x, y=y)))
    tooltip = browser.wait(FIND_TOOLTIPS)
    assert "This value is far above most others" in tooltip
    assert "imdb-best" in tooltip
    # In full, if the reader wants it.
    browser.evaluate("document.getElementById('set-0-whole').click()")
    assert browser.evaluate(f"{PANEL}.model.y_range.end") > 1e6
    assert browser.evaluate(f"{FAR}.data_source.data.x.length") == 0
    assert browser.problems == []


def test_a_recipe_has_its_colour_everywhere_in_light_and_dark(browser, tmp_path):
    make_run(tmp_path / "runs", "imdb-gru")
    make_run(tmp_path / "runs", "imdb-lstm")
    make_run(tmp_path / "runs", "imdb-lstm", units=64)
    plain = assign_styles(["imdb-lstm", "imdb-lstm"])
    show(browser, tmp_path)
    rows = list_rows(browser)
    of_curve = "{}[{}].glyph.fill_color.value"
    of_swatch = (
        "getComputedStyle(document.querySelectorAll('.entry .swatch')[{}]).stroke"
    )
    try:
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            for label, style in (
                ("imdb-lstm", plain[0]),
                ("imdb-lstm, units 64", plain[1]),
            ):
                k = rows.index(label)
                colour = getattr(style, scheme)
                browser.wait(f"{of_curve.format(CURVES, k)} === '{colour}'")
                red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
                found = browser.evaluate(of_swatch.format(k))
                assert found == f"rgb({red}, {green}, {blue})"
    finally:
        browser.prefer("light")
    assert plain[0].light == recipe_colour("imdb-lstm")


def press(browser, key, code):
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key or "Space",
                     windowsVirtualKeyCode=code, text=" " if code == 32 else
                     "\r" if code == 13 else "")  # fmt: skip


def test_the_page_works_by_keyboard(browser, tmp_path):
    for k, recipe in enumerate(("imdb-gru", "imdb-lstm")):
        make_run(tmp_path / "runs", recipe, accuracies=(0.5, 0.9 - k / 10))
    show(browser, tmp_path)
    browser.evaluate("document.getElementById('set-0-baselines').focus()")
    focused = "document.activeElement.dataset.group"
    for _ in range(12):
        press(browser, "Tab", 9)
        if browser.evaluate(focused) == "0":
            break
    assert browser.evaluate(focused) == "0"
    assert browser.evaluate(COUNT_CURVES) == 2
    press(browser, " ", 32)
    assert browser.evaluate(COUNT_CURVES) == 1
    for _ in range(12):
        press(browser, "Tab", 9)
        if browser.evaluate("document.activeElement.matches('thead button')"):
            break
    press(browser, "Enter", 13)
    assert list_rows(browser) == ["imdb-gru", "imdb-lstm"]
    press(browser, "Enter", 13)
    assert list_rows(browser) == ["imdb-lstm", "imdb-gru"]


def test_paper_shows_no_tools_and_no_closed_parts(browser, tmp_path):
    make_run(tmp_path / "runs")
    make_run(tmp_path / "runs", "imdb-lstm")
    show(browser, tmp_path)
    tools = "findTools(document).map((one) => getComputedStyle(one).visibility)"
    parts = "[...document.querySelectorAll('details, .all-runs, .screen')]"
    parts += ".filter((one) => one.checkVisibility()).length"
    assert set(browser.evaluate(tools)) == {"visible"}
    assert browser.evaluate(parts) > 0
    browser.call("Emulation.setEmulatedMedia", media="print")
    try:
        browser.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert set(browser.evaluate(tools)) == {"hidden"}
        assert browser.evaluate(parts) == 0
        browser.evaluate("document.querySelector('details.group').open = true")
        assert browser.evaluate(parts) > 0
        browser.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert set(browser.evaluate(tools)) == {"visible"}
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")
