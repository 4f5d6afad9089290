"""The report page: its content, that it is one safe file, and the small server."""

import base64
import contextlib
import html
import http.client
import io
import json
import os
import re
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.compare.tables import list_verdicts
from shared.compare.verdicts import Verdict
from shared.core.errors import UserError
from shared.core.files import to_csv
from shared.core.local_server import HOST, LocalHandler
from shared.core.statistics import Difference
from shared.plots.colours import recipe_colour
from shared.report.__main__ import main
from shared.report.collect import collect, find_groups
from shared.report.events import write_events
from shared.report.matrix import VerdictCache, build_matrix
from shared.report.pictures import embed_pictures
from shared.report.render import LIMIT, build_page, keep_flags_whole
from shared.report.serve import Page, open_server
from shared.runs.reader import describe_problems, find_runs
from tests.compare.test_compare import make_run
from tests.helpers import PROJECT, run_python, serve
from tests.runs.test_runs import open_folder, row

HOSTILE = "<script>alert(1)</script>"


def folders_of(tmp_path):
    return {"own": tmp_path / "runs", "reference": tmp_path / "reference"}


def read_content(page):
    """Return what the page hands to its scripts."""
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page)
    return json.loads(found[1])


def edit(path, name, change):
    facts = json.loads((path / name).read_text())
    change(facts)
    (path / name).write_text(json.dumps(facts))


def poison(path):
    """Put markup into every text that a run folder hands on."""
    for name in ("summary.json", "config.json"):
        edit(path, name, lambda facts: facts.update(recipe=HOSTILE, data=HOSTILE))

    def more(facts):
        facts["settings"]["units"] = facts["changed"]["units"] = f'"{HOSTILE}'
        facts["command"] = facts["versions"]["keras"] = HOSTILE

    edit(path, "config.json", more)
    edit(path, "summary.json", lambda s: s["baselines"][0].update(name=HOSTILE))
    kernels = {"planned": [{"description": HOSTILE}], "ran": None}
    (path / "kernels.json").write_text(json.dumps(kernels))


def test_the_command_writes_one_file_that_loads_nothing(tmp_path):
    make_run(tmp_path / "runs", seed=3)
    to = tmp_path / "out" / "report.html"
    done = run_python(
        "-m", "shared.report", "--results-dir", str(tmp_path / "runs"), "--to", str(to),
        "--reference", str(tmp_path / "none"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Saved {to} (")
    assert [path.name for path in to.parent.iterdir()] == ["report.html"]
    page = to.read_text()
    assert len(page.encode()) < LIMIT
    markup = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.S)
    loaded = re.findall(r'(?:src|href|action|data)="([^"#][^"]*)"', markup)
    assert loaded  # the icon
    assert all(address.startswith("data:") for address in loaded), loaded
    assert "default-src 'none'" in markup
    assert "connect-src 'none'" in markup
    assert not re.search(r"@import|url\(", page.split("</style>")[0])


def test_groups_baselines_and_figures_are_in_the_page(tmp_path):
    make_run(tmp_path / "runs", seed=0, accuracies=(0.80, 0.70))
    make_run(tmp_path / "runs", seed=1, accuracies=(0.80, 0.84))
    make_run(tmp_path / "runs", recipe="imdb-lstm", data="imdb-sample", units=64)
    page = build_page(folders_of(tmp_path))
    text = html.unescape(re.sub(r"<[^>]+>", "", page.split("<script")[0]))
    for word in ("0.8200", "± 0.0283", "0.7700", "majority class"):
        assert word in text
    for word in ("imdb-lstm, units 64", "Generated sample, not the real data"):
        assert word in text
    content = read_content(page)
    assert [one["key"] for one in content["sets"]] == ["set-0", "set-1"]
    (group,) = content["sets"][0]["groups"]
    assert [content["runs"][key]["seed"] for key in group["runs"]] == [0, 1]
    assert content["runs"][group["runs"][1]]["history"]["val_accuracy"] == [0.8, 0.84]


def test_reference_and_own_runs_stay_apart_and_data_sets_too(tmp_path):
    paths = [make_run(tmp_path / name) for name in ("runs", "reference")]
    paths.append(make_run(tmp_path / "reference", recipe="imdb-lstm"))
    for path, digest in zip(
        paths, ("aaaaaaaa1", "aaaaaaaa1", "bbbbbbbb2"), strict=True
    ):
        edit(path, "config.json", lambda c, d=digest: c["data_facts"].update(sha256=d))
    groups, notes = find_groups(folders_of(tmp_path))
    assert not notes
    assert [(source, g.data, g.label) for source, g in groups] == [
        ("own", "imdb (aaaaaaaa)", "imdb-gru"),
        ("reference", "imdb (aaaaaaaa)", "imdb-gru (reference)"),
        ("reference", "imdb (bbbbbbbb)", "imdb-lstm (reference)"),
    ]
    assert len(collect(groups)["runs"]) == 3


def test_published_verdicts_are_shown_for_runs_without_predictions(tmp_path):
    for recipe in ("imdb-gru", "imdb-lstm"):
        make_run(tmp_path / "reference", recipe)
    make_run(tmp_path / "runs", "imdb-simple-rnn")
    pair = dict.fromkeys(next(list_verdicts([Verdict("", "", "", False, "")])), "")
    pair |= {"data": "imdb", "first": "imdb-gru", "second": "imdb-lstm",
             "second_is_baseline": False, "corrected_p": 0.01, "corrected_low": 0.002,
             "corrected_high": 0.012, "sentence": "imdb-gru is better."}  # fmt: skip
    baseline = pair | {
        "second": "a baseline",
        "second_is_baseline": True,
        "sentence": "So is it.",
    }
    others = [{"data": "other"}, {"first": "not-shown"}, {"second": "imdb-simple-rnn"}]
    rows = [
        pair,
        baseline,
        *(pair | other | {"sentence": "Not here."} for other in others),
    ]
    (tmp_path / "reference" / "verdicts.csv").write_text(to_csv(rows))
    groups, _ = find_groups(folders_of(tmp_path))
    get_verdicts = VerdictCache(tmp_path / "reference")
    (shown,) = collect(groups, get_verdicts)["sets"]
    matrix = shown["matrix"]
    cells = {row["label"]: row["cells"] for row in matrix["rows"]}
    columns = [column["label"] for column in matrix["columns"]]
    gru, lstm = "imdb-gru, published", "imdb-lstm, published"
    assert columns == ["a baseline", gru, lstm]
    found = cells[gru][columns.index(lstm)]
    assert found["result"] == "better"
    assert found["sentence"] == f"{gru} is better."
    assert found["interval"] == "0.2 to 1.2"
    assert matrix["unit"] == "percentage points"
    assert cells[lstm][columns.index(gru)]["result"] == "worse"
    assert cells[gru][0]["sentence"] == "So is it."
    sentences = [pair["sentence"] for pair in matrix["pairs"]]
    assert sentences == [f"{gru} is better.", "So is it."]
    assert cells["imdb-simple-rnn"] == [None, None, None]
    assert "No test predictions were saved by: imdb-simple-rnn." in matrix["notes"]


def test_running_and_stopped_runs_are_shown_and_named(tmp_path):
    make_run(tmp_path / "runs")
    make_run(tmp_path / "runs", seed=1, state="interrupted")
    live = open_folder(tmp_path / "runs", data="imdb", seed=2)
    live.write_progress([row(1)], row(1))
    begun = open_folder(tmp_path / "runs", data="imdb", seed=4)
    groups, notes = find_groups(folders_of(tmp_path))
    assert sorted(group.runs[0].state for _, group in groups) == [
        "finished", "interrupted", "running",
    ]  # fmt: skip
    assert notes == ["Not shown: runs that hold no epoch yet (1)."]
    page = build_page(folders_of(tmp_path), VerdictCache())
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert "imdb-gru, seed 2 running" in text
    assert "imdb-gru, seed 1 interrupted" in text
    begun.close("failed")
    live.close("finished")


def test_markup_in_a_run_is_only_text(tmp_path):
    poison(make_run(tmp_path / "runs"))
    page = build_page(folders_of(tmp_path), VerdictCache())
    assert HOSTILE not in page
    assert page.count(html.escape(HOSTILE)) >= 8
    content = read_content(page)
    assert content["sets"][0]["groups"][0]["label"].startswith(HOSTILE)
    assert content["sets"][0]["baselines"][0]["name"] == HOSTILE


def test_a_value_that_is_no_number_is_a_gap(tmp_path):
    folder = open_folder(tmp_path / "runs")
    folder.write_progress([row(1, float("nan")), row(2)], row(2))
    folder.close("finished")
    content = read_content(build_page(folders_of(tmp_path)))
    (run,) = content["runs"].values()
    assert run["history"]["val_accuracy"] == [None, 0.6]


def test_one_run_with_another_metric_breaks_no_page(tmp_path):
    """A metric such as AUC is in one history only, and in no baseline."""
    make_run(tmp_path / "runs")
    path = make_run(tmp_path / "runs", recipe="imdb-auc")
    header, *rows = (path / "history.csv").read_text().splitlines()
    rows = [f"0.9,0.8,{row}" for row in rows]
    (path / "history.csv").write_text("\n".join([f"auc,val_auc,{header}", *rows]))
    edit(path, "summary.json", lambda s: s.update(peak_memory_mb=None))
    edit(path, "summary.json", lambda s: s["baselines"][0].update(
        name="Bayes", is_best_achievable=True))  # fmt: skip
    page = build_page(folders_of(tmp_path), VerdictCache())
    content = read_content(page)
    (data,) = content["sets"]
    assert [one["name"] for one in data["metrics"]] == ["accuracy", "auc", "loss"]
    metrics = [content["runs"][g["runs"][0]]["metrics"] for g in data["groups"]]
    assert metrics == [["accuracy", "auc", "loss"], ["accuracy", "loss"]]
    (tag,) = re.findall(r'Bayes <b class="tag best">(.*?)</b>', page)
    assert tag == "best achievable"


def write_noise(path, size=200):
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def test_pictures_of_the_newest_runs_come_first_and_fit(tmp_path):
    paths = [make_run(tmp_path / "runs", seed=seed) for seed in (0, 1, 2)]
    other = make_run(tmp_path / "runs", recipe="imdb-lstm")
    for path in (*paths, other):
        write_noise(path / "forecast.png")
    write_noise(other / "free_run.png")
    groups = [group for _, group in find_groups(folders_of(tmp_path))[0]]
    every, left_out = embed_pictures(groups, LIMIT)
    assert (len(every), left_out) == (4, 0)
    size = max(len(found[0]["address"]) for found in every.values())
    some, left_out = embed_pictures(groups, 3 * size + 10)
    assert {key.split("/")[-1] for key in some} == {paths[-1].name, other.name}
    assert left_out == 2
    assert embed_pictures(groups, 0) == ({}, 5)


def test_scores_of_classes_are_in_the_page_and_cannot_break_it(tmp_path):
    path = make_run(tmp_path / "runs") / "classes.csv"
    header = "class,precision,recall,f1,texts"
    path.write_text(f"{header}\n{HOSTILE},0.25,0.5,0.3333,12\n")
    page = build_page(folders_of(tmp_path))
    table = page.split("Precision and recall by class")[1].split("</details>")[0]
    cells = [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t", table)]
    assert cells[5:] == [HOSTILE, "0.25", "0.5", "0.3333", "12"]
    assert HOSTILE not in page
    rows = [f"class {k},0.25,0.5,0.3333,12" for k in range(1_000)]
    path.write_text("\n".join([header, *rows]))
    assert "And 960 more classes in classes.csv." in build_page(folders_of(tmp_path))
    for damaged in ("a,b\n1,2\n", f"{header}\n1,2\n", "\0", ""):
        path.write_text(damaged)
        page = build_page(folders_of(tmp_path))
        assert "Precision and recall by class" not in page
        assert "classes.csv" in page.split("<nav")[0]


def make_png(width, height, data=b"", before=b""):
    """Return a black and white PNG picture. Only its header needs to be true."""

    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    text = chunk(b"zTXt", b"a\0\0" + before) if before else b""
    parts = header + text + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


BOMB = zlib.compress(bytes(50_000_000))
BAD_PICTURES = {
    "400 megapixels": make_png(20_000, 20_000),
    "100 megapixels": make_png(10_000, 10_000),
    "as large as can be": make_png(2**31 - 1, 2**31 - 1),
    "no pixel": make_png(0, 0),
    "no data": make_png(8, 8),
    "a text of 50 MB": make_png(8, 8, bytes(16), BOMB),
    "empty": b"",
    "text": b"no picture",
    "HTML": f"<svg onload='{HOSTILE}'/>".encode(),
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "cut": make_png(8, 8, bytes(16))[:45],
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "link": lambda path: path.symlink_to(path.parents[1] / "other.png"),
    "link to itself": lambda path: path.symlink_to(path),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("damage", BAD_PICTURES)
def test_a_picture_that_cannot_be_used_is_named_and_left_out(tmp_path, damage):
    path = make_run(tmp_path / "runs")
    write_noise(path / "forecast.png")
    write_noise(path.parent / "other.png")
    bad = BAD_PICTURES[damage]
    if isinstance(bad, bytes):
        (path / "free_run.png").write_bytes(bad)
    else:
        bad(path / "free_run.png")
    groups = [group for _, group in find_groups(folders_of(tmp_path))[0]]
    pictures, left_out = embed_pictures(groups, LIMIT)
    ((picture,),) = pictures.values()
    assert left_out == 0
    assert picture["title"] == "Forecast against truth"
    (line,) = describe_problems(groups[0].runs)
    assert re.search(rf"{path.name}, free_run\.png: .{{3,}}\.$", line)
    assert len(line) < len(str(path)) + 200


def test_usual_pictures_of_other_kinds_are_drawn(tmp_path):
    path = make_run(tmp_path / "runs")
    grey = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    Image.fromarray(grey).save(path / "forecast.png")  # 16 bits
    steps = [Image.new("RGBA", (30, 20), colour) for colour in ("red", "blue")]
    steps[0].save(path / "free_run.png", save_all=True, append_images=steps[1:])
    groups = [group for _, group in find_groups(folders_of(tmp_path))[0]]
    (found,) = embed_pictures(groups, LIMIT)[0].values()
    assert len(found) == 2


def test_a_folder_that_cannot_be_read_is_named_beside_the_others(tmp_path):
    good = make_run(tmp_path / "runs")
    bad = make_run(tmp_path / "runs", seed=1)
    (bad / "summary.json").write_text("{")
    odd = good.rename(good.with_name("\x1b[31mred"))
    make_run(tmp_path / "runs", seed=2)
    published = make_run(tmp_path / "reference", seed=3)
    (published / "kernels.json").write_text("[]")
    (published / "forecast.png").write_bytes(make_png(20_000, 20_000))
    (tmp_path / "reference" / "verdicts.csv").write_text("first\n\xe9")
    get_verdicts = VerdictCache(tmp_path / "reference")
    page = build_page(folders_of(tmp_path), get_verdicts)
    notes = [html.unescape(note) for note in re.findall(r"<li>(.*?)</li>", page)]
    for name in (bad.name, "\\x1b[31mred", published.name, "verdicts.csv",
                 "forecast.png"):  # fmt: skip
        assert any(name in note for note in notes), name
    assert odd.name not in page
    assert len(read_content(page)["runs"]) == 2


def test_events_stay_in_their_folder_whatever_a_run_calls_itself(tmp_path):
    make_run(tmp_path / "runs")
    (run,) = find_runs(tmp_path / "runs")
    run.summary["recipe"] = "../../outside"
    (path,) = write_events([run], tmp_path / "a" / "b")
    assert path.resolve().is_relative_to(tmp_path / "a" / "b")
    assert path.is_file()


def test_the_page_never_grows_beyond_its_limit(tmp_path, monkeypatch):
    for seed in range(4):
        path = make_run(tmp_path / "runs", seed=seed)
        write_noise(path / "forecast.png")
    from shared.report import render

    whole = build_page(folders_of(tmp_path))
    assert whole.count('src="data:image/webp') == 4
    bare = len(re.sub(r'src="data:[^"]*"', "", whole).encode())
    for limit, most in ((bare + 40_000, 2), (bare - 2_000, 0)):
        monkeypatch.setattr(render, "LIMIT", limit)
        monkeypatch.setattr(render, "ROOM_FOR_NOTES", 1_000)
        page = build_page(folders_of(tmp_path))
        assert len(page.encode()) < limit
        assert page.count('src="data:image/webp') <= most
        assert "Not shown, to keep the file small" in page
    assert len(read_content(page)["runs"]) < 4


def test_of_many_runs_the_page_shows_as_many_as_fit(tmp_path, monkeypatch):
    from shared.report import render

    for seed in range(12):
        make_run(tmp_path / "runs", seed=seed)
    whole = build_page(folders_of(tmp_path))
    monkeypatch.setattr(render, "SAMPLE", 4)
    monkeypatch.setattr(render, "MANY", 8)
    made = re.compile(r"made [^<]*UTC")
    assert made.sub("", build_page(folders_of(tmp_path))) == made.sub("", whole)
    monkeypatch.setattr(render, "ROOM_FOR_NOTES", 1_000)
    monkeypatch.setattr(render, "LIMIT", len(whole.encode()) - 3_000)
    page = build_page(folders_of(tmp_path))
    assert len(page.encode()) < render.LIMIT
    shown = len(read_content(page)["runs"])
    assert 6 <= shown < 12
    assert f"the oldest runs ({12 - shown})" in page


def test_the_matrix_by_hand(tmp_path):
    make_run(tmp_path, recipe="imdb-gru")
    make_run(tmp_path, recipe="imdb-lstm")
    groups = [g for _, g in find_groups({"own": tmp_path})[0]]
    clear = Difference(0.02, 0.001, 1e9, (3, 3), "paired", (0.0,), 1e-6)
    verdicts = [
        Verdict("imdb", "imdb-gru", "imdb-lstm", False, "One.", clear, corrected=0.001),
        Verdict("imdb", "imdb-gru", "linear", True, "Two.", clear, corrected=0.9),
        Verdict("imdb", "imdb-lstm", "linear", True, "None."),
    ]
    matrix = build_matrix(verdicts, groups, {})
    names = ["linear", "imdb-gru", "imdb-lstm"]
    assert [column["label"] for column in matrix["columns"]] == names
    first, second = (row["cells"] for row in matrix["rows"])
    assert first[1] is None
    assert (first[2]["result"], first[2]["interval"]) == ("better", "1.80 to 2.20")
    assert (second[1]["result"], second[1]["interval"]) == ("worse", "-2.20 to -1.80")
    assert (first[0]["result"], second[0]["result"]) == ("unclear", "unknown")


def test_scalars_for_tensorboard_are_those_of_the_history(tmp_path):
    from tensorflow.core.util.event_pb2 import Event
    from tensorflow.data import TFRecordDataset

    path = make_run(tmp_path / "runs", accuracies=(0.25, 0.5))
    flags = ["--results-dir", str(tmp_path / "runs"), "--tensorboard", "--no-verdicts"]
    main([*flags, "--reference", str(tmp_path), "--to", str(tmp_path / "r.html")])
    (file,) = (tmp_path / "tensorboard" / "imdb-gru" / path.name).iterdir()
    assert "tfevents" in file.name
    version, *events = [
        Event.FromString(record.numpy()) for record in TFRecordDataset(str(file))
    ]
    assert version.file_version == "brain.Event:2"
    scalars = [
        (e.step, {v.tag: v.simple_value for v in e.summary.value}) for e in events
    ]
    assert [(step, v["validation/accuracy"]) for step, v in scalars] == [
        (1, 0.25),
        (2, 0.5),
    ]
    assert scalars[0][1]["training/loss"] == 0.5
    assert events[1].wall_time - events[0].wall_time == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "Start with make"),
        (["--port", "70000"], "--port 70000"),
        (["--to", "."], "Name a file in it"),
        (["--colour"], "--colour"),
    ],
)
def test_bad_input_is_one_line_and_status_2(tmp_path, flags, message, capsys):
    flags = [*flags, "--results-dir", str(tmp_path), "--reference", str(tmp_path)]
    with pytest.raises(SystemExit) as exit_:
        main(flags)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def serving(folders):
    return serve(open_server(Page(folders, None), 0))


def get(server, path, host=None):
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_server_answers_only_locally_and_follows_a_training(tmp_path):
    with serving(folders_of(tmp_path)) as server:
        assert server.server_address[0] == "127.0.0.1"
        status, text = get(server, "/")
        assert (status, "Start with make" in text) == (200, True)
        live = open_folder(tmp_path / "runs")
        live.write_progress([row(1)], row(1))
        status, page = get(server, "/")
        stamp = read_content(page)["stamp"]
        assert get(server, "/stamp") == (200, stamp)
        assert "connect-src 'self'" in page
        live.write_progress([row(1), row(2)], row(1))
        assert get(server, "/stamp")[1] != stamp
        (run,) = read_content(get(server, "/")[1])["runs"].values()
        assert run["history"]["epoch"] == [1, 2]
        live.close("finished")
        assert get(server, "/../config.json")[0] == 404
        for host in ("127.0.0.1", "localhost:8765", "LOCALHOST", "[::1]:80", "[::1]"):
            assert get(server, "/stamp", host=host)[0] == 200, host
        for host in (
            "example.org", "localhost.example.org", "127.0.0.1@example.org",
            "me@localhost", "[::1", "127.0.0.1:80.example.org", "0.0.0.0", ":80",
        ):  # fmt: skip
            assert get(server, "/stamp", host=host)[0] == 403, host


REQUESTS = {
    "nothing": b"",
    "noise": bytes(range(256)),
    "a long address": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1000 + b"\r\n",
    "a long header": b"GET / HTTP/1.1\r\na: " + b"b" * 100_000 + b"\r\n\r\n",
    "no host": b"GET / HTTP/1.0\r\n\r\n",
    "another method": b"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "half a request": b"GET / HTTP/1.1\r\nHost: local",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "leaves at once": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


def test_no_client_disturbs_the_terminal_or_the_others(tmp_path, capfd, monkeypatch):
    make_run(tmp_path / "runs")
    monkeypatch.setattr(LocalHandler, "timeout", 0.2)
    with serving(folders_of(tmp_path)) as server:
        for request in REQUESTS.values():
            with socket.create_connection((HOST, server.server_port)) as client:
                client.sendall(request)
                reset = struct.pack("ii", 1, 0)  # no waiting: the connection is reset
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        with socket.create_connection((HOST, server.server_port), 30) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\n")
            assert slow.recv(100) == b""  # the server gives up
        assert get(server, "/stamp")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use_is_one_line(tmp_path):
    with serving(folders_of(tmp_path)) as server:
        port = server.server_port
        with pytest.raises(UserError, match=rf"^--port {port}: .*Name another port"):
            open_server(Page(folders_of(tmp_path), None), port)


def test_the_watch_command_prints_its_address_and_ends_on_an_interrupt(tmp_path):
    make_run(tmp_path / "runs")
    command = [sys.executable, "-m", "shared.report", "--watch", "--port", "0"]
    command += [
        "--results-dir",
        str(tmp_path / "runs"),
        "--to",
        str(tmp_path / "r.html"),
    ]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        output = process.stdout.readline()
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert re.match(r"Open http://127\.0\.0\.1:\d+/ ", output)
    assert (process.returncode, errors) == (130, "Interrupted.\n")
    assert not (tmp_path / "r.html").exists()


# Text of all visible tooltips, also in shadow roots.
FIND_TOOLTIPS = """(() => {
  const found = [];
  const walk = (root) => root.querySelectorAll("*").forEach((element) => {
    if (element.matches(".bk-Tooltip") && element.checkVisibility())
      found.push((element.shadowRoot ?? element).textContent);
    if (element.shadowRoot) walk(element.shadowRoot);
  });
  walk(document);
  return found.join(" ");
})()"""
# The first panel, and where a point of it is on the screen.
PANEL = """[...Bokeh.index].find(
  (one) => document.getElementById("set-0-plot").contains(one.el))"""
FIND_POINT = f"""(() => {{{{
  document.getElementById("set-0-plot").scrollIntoView({{{{block: "center"}}}});
  const view = {PANEL}, box = view.el.getBoundingClientRect();
  return [box.left + view.frame.x_scale.compute({{x}}),
          box.top + view.frame.y_scale.compute({{y}})];
}}}})()"""
# The points of every curve; the marks of outliers have a form each.
CURVES = f"""({PANEL}?.model.renderers ?? []).filter(
  (one) => one.glyph.type === "Scatter" && !one.data_source.data.marker)"""
COUNT_CURVES = f"{CURVES}.filter((one) => one.visible).length"


def show(browser, tmp_path, width=1200):
    (tmp_path / "r.html").write_text(build_page(folders_of(tmp_path), VerdictCache()))
    browser.problems.clear()
    browser.requests.clear()
    browser.open((tmp_path / "r.html").as_uri(), width)


def list_rows(browser, kind="run"):
    return browser.evaluate(
        f"[...document.querySelectorAll('table.runs tr.{kind}')]"
        ".filter((row) => row.checkVisibility())"
        ".map((row) => row.querySelector('a').textContent)"
    )


def test_in_a_browser(browser, tmp_path):
    for k, recipe in enumerate(("imdb-gru", "imdb-lstm", "imdb-simple-rnn")):
        for seed in (0, 1):
            values = (0.7 + k / 20, 0.8 - k / 50 + seed / 100)
            path = make_run(tmp_path / "runs", recipe, seed, accuracies=values)
            write_noise(path / "forecast.png")
    make_run(tmp_path / "reference", "weather-gru", data="jena-2020")
    show(browser, tmp_path)
    # The best on validation comes first. A click sorts; the baseline takes part.
    names = ["imdb-gru", "imdb-simple-rnn", "imdb-lstm", "weather-gru"]
    assert list_rows(browser) == names
    click = "document.querySelectorAll('#set-0-table thead button')[3].click()"
    browser.evaluate(click)
    assert list_rows(browser) == [names[k] for k in (2, 1, 0, 3)]
    row = "document.querySelector('#set-0-table tbody').rows[{}].className"
    assert browser.evaluate(row.format(0)) == "baseline"
    browser.evaluate(click)
    assert list_rows(browser) == names
    assert browser.evaluate(row.format(3)) == "baseline"
    # Filtered by words.
    write = "filter.value = '{}'; filter.dispatchEvent(new Event('input'))"
    browser.evaluate(write.format("LSTM finished"))
    assert list_rows(browser) == ["imdb-lstm"]
    assert (
        browser.evaluate("document.getElementById('filter-count').value")
        == "1 of 4 entries"
    )
    assert browser.evaluate("document.getElementById('set-1').hidden")
    browser.evaluate(write.format(""))
    # Switched off and on: groups, then seeds.
    assert browser.evaluate(COUNT_CURVES) == 3
    box = "document.querySelector('#set-0-legend [data-group=\"{}\"]').click()"
    browser.evaluate(box.format(1))
    assert browser.evaluate(COUNT_CURVES) == 2
    browser.evaluate(box.format(1))
    choose = "(() => {{ const one = document.getElementById('set-0-{}');"
    choose += "one.value = '{}'; one.dispatchEvent(new Event('{}')); }})()"
    browser.evaluate(choose.format("lines", "each", "change"))
    browser.wait(f"{COUNT_CURVES} === 6")
    browser.evaluate("document.querySelector('#set-0-legend [data-run]').click()")
    assert browser.evaluate(COUNT_CURVES) == 5
    # Smoothed: the second value moves towards the first.
    last = f"{CURVES}.at(-1).data_source.data.y[1]"
    assert browser.evaluate(last) == pytest.approx(0.79)
    browser.evaluate(choose.format("smooth", 0.5, "input"))
    assert browser.evaluate(last) == pytest.approx((0.75 + 2 * 0.79) / 3)
    browser.evaluate(choose.format("smooth", 0, "input"))
    # By seconds, of which an epoch took 1.5.
    browser.evaluate(choose.format("across", "seconds", "change"))
    x = last.replace("data.y[1]", "data.x")
    browser.wait(f"{x}[1] === 3")
    # Hovered.
    browser.move(*browser.evaluate(FIND_POINT.format(x=3, y=0.79)))
    tooltips = browser.wait(FIND_TOOLTIPS)
    assert "imdb-lstm" in tooltips
    assert "0.79000" in tooltips
    # A run's own curves and picture appear when it comes into view.
    browser.evaluate("document.querySelector('details.group').open = true")
    browser.evaluate("document.querySelector('article').scrollIntoView()")
    browser.wait("document.querySelectorAll('article .plot.small > *').length >= 2")
    browser.wait("document.querySelector('article img').naturalWidth === 200")
    assert browser.problems == []
    assert {address.partition(":")[0] for address in browser.requests} == {
        "file",
        "data",
    }
    assert len([a for a in browser.requests if a.startswith("file")]) == 1


def count_pixels(browser, colour):
    """Return how many pixels of the window have a colour, (red, green, blue)."""
    data = browser.call("Page.captureScreenshot")["data"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    return int((np.abs(pixels.astype(int) - colour).max(axis=2) < 8).sum())


def test_a_hovered_line_stays_and_keeps_its_colour(browser, tmp_path):
    make_run(tmp_path / "runs", accuracies=(0.5, 0.6))
    make_run(tmp_path / "runs", "imdb-lstm", accuracies=(0.7, 0.9))
    show(browser, tmp_path)
    browser.evaluate("document.querySelector('.plot').scrollIntoView()")
    colour = [int(recipe_colour("imdb-lstm")[k : k + 2], 16) for k in (1, 3, 5)]
    before = count_pixels(browser, colour)
    browser.move(*browser.evaluate(FIND_POINT.format(x=2, y=0.9)))
    browser.wait(FIND_TOOLTIPS)
    assert count_pixels(browser, colour) > 0.8 * before > 100


def test_paper_has_no_boxes_to_check(browser, tmp_path):
    make_run(tmp_path / "runs", accuracies=(0.5, 0.6))
    make_run(tmp_path / "runs", "imdb-lstm", accuracies=(0.7, 0.9))
    show(browser, tmp_path)
    browser.evaluate("document.querySelectorAll('.entry input')[1].click()")
    browser.call("Emulation.setEmulatedMedia", media="print")
    shown = "[...document.querySelectorAll('{}')].filter((e) => e.checkVisibility())"
    try:
        assert browser.evaluate(f"{shown.format('input, button.all')}.length") == 0
        entries = browser.evaluate(
            f"{shown.format('.entry')}.map((e) => e.textContent.trim())"
        )
        assert entries == ["imdb-lstm"]  # the other one is switched off
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")


def test_a_filter_without_a_hit_says_so(browser, tmp_path):
    make_run(tmp_path / "runs")
    show(browser, tmp_path)
    browser.evaluate("filter.value = 'qq'; filter.dispatchEvent(new Event('input'))")
    found = browser.evaluate("document.getElementById('filter-count').value")
    assert found == "No entry of 1 matches. Remove a word of the filter."


def test_no_line_breaks_within_a_flag():
    label = "imdb-gru --units 64 <b> --no-mask"
    assert keep_flags_whole(label) == (
        'imdb-gru <span class="flag">--units</span> 64 &lt;b&gt; '
        '<span class="flag">--no-mask</span>'
    )


def test_markup_in_a_run_does_nothing_in_a_browser(browser, tmp_path):
    poison(make_run(tmp_path / "runs", accuracies=(0.25, 0.75)))
    show(browser, tmp_path)
    assert list_rows(browser)[0].startswith(HOSTILE)
    browser.move(*browser.evaluate(FIND_POINT.format(x=1, y=0.25)))
    assert HOSTILE in browser.wait(FIND_TOOLTIPS)
    browser.evaluate(
        "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
    )
    assert browser.problems == []


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_screen_in_light_and_dark(browser, tmp_path, width):
    long = make_run(tmp_path / "runs", note="x" * 300)
    write_noise(long / "forecast.png", 900)
    make_run(tmp_path / "runs", "imdb-lstm")
    browser.prefer("dark")
    show(browser, tmp_path, width)
    browser.evaluate(
        "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
    )
    wide = "document.documentElement.scrollWidth <= window.innerWidth"
    browser.wait(wide)
    back = f"({PANEL}).model.background_fill_color"
    dark = browser.evaluate(back)
    browser.prefer("light")
    browser.wait(f"{back} !== '{dark}'")
    assert (dark, browser.evaluate(back)) == ("#15171b", "#ffffff")
    assert browser.problems == []


def test_a_live_page_reloads_itself(browser, tmp_path):
    live = open_folder(tmp_path / "runs")
    live.write_progress([row(1)], row(1))
    with serving(folders_of(tmp_path)) as server:
        browser.open(f"http://{HOST}:{server.server_port}/")
        browser.evaluate("filter.value = 'gru'")
        live.write_progress([row(1), row(2)], row(2))
        browser.wait(
            "document.documentElement?.dataset.ready === 'yes' && Object.values("
            "JSON.parse(document.getElementById('content').textContent).runs"
            ")[0].history.epoch.length === 2"
        )
        assert browser.evaluate("filter.value") == "gru"
        browser.call("Page.navigate", url="about:blank")
    live.close("finished")
