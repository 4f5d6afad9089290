"""The reviews: where they are searched, what is refused, what is cached."""

import functools
import hashlib
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest

from shared.core.cache import write_cached
from shared.core.errors import UserError
from shared.data import sources
from shared.data.imdb.reviews import ReviewsConfig, find_reviews, load_reviews
from shared.data.padding import UNKNOWN
from tests.helpers import make_reviews, object_array, write_npz, write_npz_pickled

CONFIG = functools.partial(
    ReviewsConfig,
    vocabulary=50,
    length=20,
    keep="end",
    padding="left",
    mask=False,
    embedding_size=2,
    validation_share=0.2,
)


def test_a_file_of_the_user_is_used_unchanged(tmp_path, no_network):
    path = write_npz(tmp_path / "data" / "imdb.npz", make_reviews())
    before = path.read_bytes()
    splits = load_reviews(CONFIG(data_dir=path.parent), seed=0)
    assert splits.data == "imdb"
    assert splits.facts["sha256"] == hashlib.sha256(before).hexdigest()
    assert path.read_bytes() == before
    sizes = len(splits.train), len(splits.validation), len(splits.test)
    assert sizes == (48, 12, 60)
    assert splits.train.inputs.shape == (48, 20)
    assert splits.validation.targets.mean() == 0.5


def test_ids_follow_keras(tmp_path):
    arrays = make_reviews()
    path = write_npz(tmp_path / "imdb.npz", arrays)
    splits = load_reviews(CONFIG(data_dir=tmp_path, length=40), seed=0)
    from keras.src.datasets import imdb as keras_imdb

    # Keras' own loader, on a copy: it deletes files of a hash it does not know.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras_imdb, "get_file", lambda *_, **__: str(path))
        _, (x_test, y_test) = keras_imdb.load_data(num_words=50)
    ours = {tuple(row[row > 0]) for row in splits.test.inputs}
    assert ours == {tuple(row) for row in x_test}
    assert splits.test.targets.sum() == y_test.sum()


@pytest.mark.parametrize("options", [{}, {"num_words": 20}, {"start_char": None}])
def test_a_file_saved_again_from_keras_has_the_same_ids(tmp_path, capsys, options):
    from keras.src.datasets import imdb as keras_imdb

    path = write_npz(tmp_path / "original" / "imdb.npz", make_reviews())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras_imdb, "get_file", lambda *_, **__: str(path))
        (x_train, y_train), (x_test, y_test) = keras_imdb.load_data(**options)
    again = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    write_npz(tmp_path / "again" / "imdb.npz", again)

    def list_reviews(name, vocabulary):
        config = CONFIG(data_dir=tmp_path / name, length=40, vocabulary=vocabulary)
        test = load_reviews(config, seed=0).test
        return sorted(zip(test.inputs.tolist(), test.targets.tolist(), strict=True))

    # Without num_words, the loader leaves out the highest id.
    vocabulary = options.get("num_words", 44)
    expected = list_reviews("original", vocabulary)
    for said in ("First use", "word ids of keras.datasets.imdb.load_data"):
        capsys.readouterr()
        assert list_reviews("again", vocabulary) == expected
        assert said in capsys.readouterr().out


def test_the_test_set_cannot_reach_the_training_arrays(tmp_path):
    arrays = make_reviews()
    write_npz(tmp_path / "a" / "imdb.npz", arrays)
    arrays["x_test"] = object_array([[29] * 5] * 60)
    write_npz(tmp_path / "b" / "imdb.npz", arrays)
    a, b = (load_reviews(CONFIG(data_dir=tmp_path / name), seed=0) for name in "ab")
    assert np.array_equal(a.train.inputs, b.train.inputs)
    assert np.array_equal(a.validation.inputs, b.validation.inputs)
    assert not np.array_equal(a.test.inputs, b.test.inputs)


def test_labels_stay_with_their_reviews(tmp_path):
    write_npz(tmp_path / "imdb.npz", make_reviews())
    splits = load_reviews(CONFIG(data_dir=tmp_path), seed=5)
    for part in (splits.train, splits.validation, splits.test):
        assert np.array_equal(part.inputs[:, -1] == 44, part.targets == 1)
        assert np.array_equal(part.inputs[:, -1] == 43, part.targets == 0)


def test_the_order_of_places(tmp_path, monkeypatch, no_network):
    flag, variable = tmp_path / "flag", tmp_path / "variable"
    keras_cache = tmp_path / "keras" / "datasets"
    for k, place in enumerate((flag, variable, keras_cache)):
        write_npz(place / "imdb.npz", make_reviews(seed=k))
    monkeypatch.setenv("RNN_RECIPES_DATA", str(variable))

    def origin(data_dir):
        return load_reviews(CONFIG(data_dir=data_dir), seed=0).facts["file"]

    assert origin(flag) == str(flag / "imdb.npz")
    assert origin(None) == str(variable / "imdb.npz")
    monkeypatch.delenv("RNN_RECIPES_DATA")
    assert origin(None) == str(keras_cache / "imdb.npz")


def test_without_file_and_network_the_sample_takes_over(offline, capsys):
    reviews = find_reviews(CONFIG())
    assert reviews.name == "imdb-sample"
    printed = capsys.readouterr().out
    assert "imdb-sample" in printed
    assert "--data-dir" in printed
    assert "Keras cache" in printed


def test_data_imdb_takes_real_reviews_or_is_an_error(offline):
    with pytest.raises(UserError, match="--data-dir"):
        find_reviews(CONFIG(data="imdb"))


def test_a_missing_folder_is_an_error(tmp_path, no_network):
    with pytest.raises(UserError, match="no such folder"):
        load_reviews(CONFIG(data_dir=tmp_path / "nowhere"), seed=0)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 but cut"])
def test_the_error_for_another_file_names_the_remedy(tmp_path, content, no_network):
    (tmp_path / "imdb.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"imdb\.npz: not a readable.*--data-dir"):
        load_reviews(CONFIG(data_dir=tmp_path), seed=0)
    assert (tmp_path / "imdb.npz").read_bytes() == content
    assert not list((tmp_path / "cache").glob("*.npz"))


def test_a_truncated_file_is_refused(tmp_path, no_network):
    path = write_npz(tmp_path / "imdb.npz", make_reviews())
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match="not a readable"):
        load_reviews(CONFIG(data_dir=tmp_path), seed=0)


def test_a_trapped_file_is_refused(tmp_path, no_network):
    class Trap:
        def __reduce__(self):
            return Path.mkdir, (tmp_path / "sprung",)

    write_npz_pickled(tmp_path / "imdb.npz", Trap(), 1)
    with pytest.raises(UserError, match="it calls"):
        load_reviews(CONFIG(data_dir=tmp_path), seed=0)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0], [0, 1]])
def test_wrong_labels_are_refused(tmp_path, labels, no_network):
    arrays = make_reviews()
    arrays |= {"x_train": object_array([[1], [2], [3]]), "y_train": np.array(labels)}
    write_npz(tmp_path / "imdb.npz", arrays)
    with pytest.raises(UserError, match="labels"):
        load_reviews(CONFIG(data_dir=tmp_path), seed=0)


def test_the_cache_serves_the_same_and_survives_damage(tmp_path, capsys):
    write_npz(tmp_path / "imdb.npz", make_reviews())
    first = load_reviews(CONFIG(data_dir=tmp_path), seed=0)
    (cached,) = (tmp_path / "cache").glob("imdb-*.npz")
    assert "First use" in capsys.readouterr().out
    again = load_reviews(CONFIG(data_dir=tmp_path), seed=0)
    assert "First use" not in capsys.readouterr().out
    cached.write_bytes(cached.read_bytes()[:100])
    rebuilt = load_reviews(CONFIG(data_dir=tmp_path), seed=0)
    assert "First use" in capsys.readouterr().out
    for splits in (again, rebuilt):
        assert np.array_equal(first.train.inputs, splits.train.inputs)
        assert np.array_equal(first.test.targets, splits.test.targets)
    assert not list((tmp_path / "cache").glob(".part-*"))


@pytest.mark.parametrize("fault", ["short labels", "negative ids", "no offsets"])
def test_a_cache_that_cannot_be_right_is_rebuilt(tmp_path, capsys, fault):
    write_npz(tmp_path / "imdb.npz", make_reviews())
    first = load_reviews(CONFIG(data_dir=tmp_path), seed=0)
    (cached,) = (tmp_path / "cache").glob("imdb-*.npz")
    with np.load(cached) as stored:
        arrays = dict(stored)
    del arrays["format"], arrays["checksum"]
    if fault == "short labels":
        arrays["train_labels"] = arrays["train_labels"][:40]
    if fault == "negative ids":
        arrays["train_tokens"] = -arrays["train_tokens"]
    if fault == "no offsets":
        del arrays["test_offsets"]
    write_cached(cached.name, arrays)
    capsys.readouterr()
    again = load_reviews(CONFIG(data_dir=tmp_path), seed=0)
    assert "damaged" in capsys.readouterr().out
    assert np.array_equal(first.train.inputs, again.train.inputs)


def test_a_run_needs_no_writable_cache(tmp_path, monkeypatch, capsys):
    write_npz(tmp_path / "imdb.npz", make_reviews())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RNN_RECIPES_CACHE", str(tmp_path / "file" / "cache"))
    assert load_reviews(CONFIG(data_dir=tmp_path), seed=0).data == "imdb"
    assert "Not cached" in capsys.readouterr().out


def test_a_limit_is_in_the_name_and_a_too_large_one_is_refused(tmp_path):
    write_npz(tmp_path / "imdb.npz", make_reviews())
    splits = load_reviews(CONFIG(data_dir=tmp_path, limit=20), seed=0)
    assert splits.data == "imdb-limit-20"
    assert [len(splits.train), len(splits.test)] == [20, 20]
    assert splits.test.targets.mean() == 0.5
    with pytest.raises(UserError, match="only 48"):
        load_reviews(CONFIG(data_dir=tmp_path, limit=49), seed=0)


@pytest.fixture
def server(tmp_path):
    """Serve a folder on 127.0.0.1, some names cut short."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            content = (folder / "imdb.npz").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            cut = "cut" in self.path
            self.wfile.write(content[: len(content) // 2] if cut else content)

    httpd = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def test_the_download_goes_to_the_keras_cache(tmp_path, server):
    folder, address = server
    content = write_npz(folder / "imdb.npz", make_reviews()).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    find = functools.partial(
        sources.find_source, ["imdb.npz"], None, f"{address}/imdb.npz"
    )
    found, missed = find(digest)
    assert found.path == tmp_path / "keras" / "datasets" / "imdb.npz"
    assert found.path.read_bytes() == content
    assert (found.origin, found.sha256) == ("download", digest)
    assert len(missed) == 1
    (folder / "imdb.npz").unlink()  # from here on a download fails
    assert find(digest)[0].origin == "Keras cache"


@pytest.mark.parametrize("fault", ["cut short", "another hash", "no answer"])
def test_a_bad_download_leaves_nothing_behind(tmp_path, server, fault):
    folder, address = server
    content = write_npz(folder / "imdb.npz", make_reviews()).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    url = f"{address}/{'cut' if fault == 'cut short' else 'imdb'}.npz"
    if fault == "another hash":
        digest = "0" * 64
    if fault == "no answer":
        url = "http://127.0.0.1:9/imdb.npz"
    found, missed = sources.find_source(["imdb.npz"], None, url, digest)
    assert found is None
    assert "no download" in missed[-1]
    left = [p for p in (tmp_path / "keras").rglob("*") if p.is_file()]
    assert left == []


def test_the_real_reviews(real_data, no_network):
    splits = load_reviews(CONFIG(vocabulary=10_000, length=500, data_dir=real_data), 0)
    sizes = len(splits.train), len(splits.validation), len(splits.test)
    assert sizes == (20_000, 5_000, 25_000)
    for part in (splits.train, splits.validation, splits.test):
        assert part.targets.mean() == 0.5
        assert part.inputs.max() == 9_999
    # "the" has rank 1, so its id is 4, and it is by far the most frequent word.
    words = splits.test.inputs[splits.test.inputs > UNKNOWN]
    assert np.bincount(words).argmax() == 4


@pytest.mark.parametrize("share", [0.999, 0.001])
def test_a_share_that_leaves_too_few_reviews_is_refused(tmp_path, share):
    write_npz(tmp_path / "imdb.npz", make_reviews())
    with pytest.raises(UserError, match="--validation-share"):
        load_reviews(CONFIG(data_dir=tmp_path, validation_share=share), seed=0)


def test_the_error_for_a_broken_keras_cache_names_the_remedy(tmp_path, offline):
    broken = tmp_path / "keras" / "datasets" / "imdb.npz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"cut short")
    with pytest.raises(UserError, match="Delete it, and the next run downloads"):
        load_reviews(CONFIG(), seed=0)
