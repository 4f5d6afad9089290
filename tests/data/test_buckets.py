"""Buckets: every example is in a batch, padding is short, and results do not change."""

import numpy as np
import pytest

from recipes import imdb_gru
from shared.data.buckets import Buckets, choose_edges
from shared.data.feeding import feed, restore_order, stream_buckets
from shared.data.splits import Examples
from shared.runs.reader import read_predictions
from tests.recipes.test_recipes import train

LENGTHS = np.random.default_rng(0).integers(1, 31, 205)


def make_examples(padding="left", lengths=LENGTHS, length=30):
    place = np.arange(length)[None]
    filled = lengths[:, None]
    filled = place >= length - filled if padding == "left" else place < filled
    words = np.where(filled, 3 + np.arange(len(lengths))[:, None], 0)
    buckets = Buckets(lengths, choose_edges(lengths, length), padding)
    return Examples(words.astype("int32"), lengths.astype("float32"), buckets=buckets)


def test_edges_divide_the_examples_evenly():
    edges = choose_edges(np.arange(1, 61), 100)
    assert edges[-1] == 100
    assert len(edges) == 6
    counts = np.diff([0, *np.searchsorted(np.arange(1, 61), edges, side="right")])
    assert counts.min() >= 9
    assert choose_edges(np.full(9, 5), 5) == (5,)


@pytest.mark.parametrize("padding", ["left", "right"])
def test_every_example_occurs_once_and_only_padding_is_cut(padding):
    examples = make_examples(padding)
    seen = []
    batches = list(stream_buckets(examples, 16, shuffle_seed=3))
    assert len(batches) == 13 == stream_buckets(examples, 16).cardinality()
    for words, targets in batches:
        assert words.shape[1] in examples.buckets.edges
        assert np.array_equal((words.numpy() > 0).sum(1), targets)
        seen += (words.numpy().max(1) - 3).tolist()
        side = words[:, 0] if padding == "right" else words[:, -1]
        assert np.all(side.numpy() > 0)
    assert sorted(seen) == list(range(205))
    assert sorted(len(words) for words, _ in batches)[1:] == [16] * 12


def test_little_padding_remains():
    read = sum(words.shape[0] * words.shape[1] for words, _ in feed(
        make_examples(), 16, shuffle_seed=0)["x"])  # fmt: skip
    assert LENGTHS.sum() <= read < 1.35 * LENGTHS.sum() < 205 * 30


def test_epochs_differ_and_repeat_with_the_seed():
    def read_two_epochs(seed):
        stream = stream_buckets(make_examples(), 16, seed)
        return [
            np.concatenate([words.numpy().max(1) for words, _ in stream])
            for _ in range(2)
        ]

    first, second = read_two_epochs(1)
    assert not np.array_equal(first, second)
    assert all(map(np.array_equal, read_two_epochs(1), (first, second)))
    assert not np.array_equal(read_two_epochs(2)[0], first)


def test_without_a_seed_the_order_can_be_restored():
    examples = make_examples()
    stream = feed(examples, 16)["x"]
    targets = np.concatenate([targets.numpy() for _, targets in stream])
    assert np.all(np.diff(targets) >= 0)
    assert np.array_equal(restore_order(examples, targets), examples.targets)
    plain = Examples(examples.inputs, examples.targets)
    assert restore_order(plain, targets) is targets


def train_bucketed(folder, *flags):
    return train(
        "imdb_gru", folder, "--epochs", "2", "--batching", "bucketed",
        "--embedding-gradient", "dense", "--batch-size", "16", *flags,
    )  # fmt: skip


@pytest.fixture(scope="module")
def compiled_run(tmp_path_factory):
    """A bucketed run with the compiled loop; tests only read it."""
    folder = tmp_path_factory.mktemp("bucketed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_RECIPES_CACHE", str(folder / "cache"))
        return train_bucketed(folder, "--kernel", "compiled")


@pytest.mark.xdist_group("bucketed run")
def test_a_bucketed_model_predicts_as_on_whole_inputs(compiled_run):
    """Masked padding changes nothing, so predictions are in order and the same."""
    import keras

    from shared.data.imdb.reviews import load_reviews
    from shared.inference.load_model import load_model

    run = compiled_run
    assert run.config["settings"]["mask"] is True
    settings = run.config["settings"]
    config = imdb_gru.Config().reviews
    names = vars(config)
    whole = type(config)(**{k: settings[k] for k in names} | {"batching": "fixed"})
    test = load_reviews(whole, settings["seed"]).test
    assert test.buckets is None
    model = load_model(run.path)
    keras.config.disable_interactive_logging()
    expected = model.predict(test.inputs, verbose=0)[:, 0]
    found = read_predictions(run)
    assert np.abs(found["predictions"] - expected).max() < 1e-6
    assert np.array_equal(found["targets"], test.targets)


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param([], marks=pytest.mark.xdist_group("bucketed run")),
        pytest.param(
            ["--return-sequences", "--padding", "right"], marks=pytest.mark.slow
        ),
    ],
)
def test_the_loop_and_the_steps_per_execution_change_no_score(flags, tmp_path, request):
    if flags:
        runs = [train_bucketed(tmp_path / "a", "--kernel", "compiled", *flags)]
    else:
        runs = [request.getfixturevalue("compiled_run")]
    runs.append(train_bucketed(tmp_path / "b", "--kernel", "keras", *flags))
    several = ["--kernel", "compiled", "--steps-per-execution", "3"]
    runs.append(train_bucketed(tmp_path / "c", *several, *flags))
    losses = [[*run.history["loss"], *run.history["val_loss"]] for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] == pytest.approx(losses[2], rel=1e-6)
