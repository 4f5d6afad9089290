"""Kernels: every rule by itself, compared with the graph that really ran."""

import dataclasses
import importlib
import json

import keras
import numpy as np
import pytest
from keras import layers

from shared.commands.recipe import main
from shared.compare.__main__ import main as compare
from shared.core.cache import write_cached
from shared.core.context import Context
from shared.core.errors import UserError
from shared.inference.load_model import load_model
from shared.kernels import choice
from shared.kernels.choice import apply_kernel
from shared.kernels.plan import Traits, plan_layer, plan_model, read_config
from shared.kernels.proof import KernelWarning, list_differences, prove_kernels
from shared.kernels.table import list_rows
from shared.layers.recurrent import (
    GRUConfig,
    LSTMConfig,
    SimpleRNNConfig,
    build_bidirectional,
)
from shared.runs.reader import format_kernels
from shared.training.kernel_record import KernelRecord
from tests.compare.test_compare import make_run
from tests.recipes.training_runs import SharedRuns, mark_slow, train_reviews

pytestmark = pytest.mark.usefixtures("undrawn")

GRU = Traits(
    layer="gru", kind="GRU", use_cudnn="auto", activation="tanh",
    recurrent_activation="sigmoid", recurrent_dropout=0.0, unroll=False, use_bias=True,
    reset_after=True, requested=2,
)  # fmt: skip


# 80 training reviews in batches of one size, so that each step is traced once.
EQUAL_BATCHES = ("--batch-size", "20")
# Several tests read these runs, so each is trained once.
GRU_DROPOUT = ("imdb_gru_dropout", EQUAL_BATCHES)
GRU_KERAS = ("imdb_gru", ("--kernel", "keras", "--implementation", "1"))
GRU_CUDNN_OFF = (
    "imdb_gru", ("--implementation", "1", "--cudnn", "off", "--dropout", "0.2")
)  # fmt: skip
GRU_XLA = ("imdb_gru", ("--jit", "on", "--batching", "fixed", *EQUAL_BATCHES))
GRU_XLA_BUCKETED = (  # XLA compiles for each length
    "imdb_gru", ("--jit", "on", "--batching", "bucketed", *EQUAL_BATCHES)
)  # fmt: skip


def on_one_worker(run, *expected, slow=False):
    """Return a parameter set; tests of one run share a process and so train it once."""
    recipe, flags = run
    one_process = pytest.mark.xdist_group(" ".join(["kernels", recipe, *flags]))
    return pytest.param(
        recipe,
        flags,
        *expected,
        id=" ".join([recipe, *flags]),
        marks=[one_process, pytest.mark.slow] if slow else one_process,
    )


@pytest.fixture(scope="module")
def shared_runs(tmp_path_factory):
    return SharedRuns(tmp_path_factory.mktemp("kernel-runs"))


@pytest.fixture
def train_once(shared_runs):
    """Return a function: recipe, flags -> its shared run of one epoch."""
    return lambda recipe, flags: shared_runs.train(
        train_reviews, recipe, "--epochs", "1", *flags
    )


def plan(traits=GRU, mask_side=None, gpus=1, xla=False):
    return plan_layer(traits, mask_side, gpus, xla, "off")


def test_cudnn_runs_where_nothing_prevents_it():
    assert plan().path == "cuDNN"
    assert plan().implementation is None
    assert plan(mask_side="right").path == "cuDNN"
    assert plan().describe() == "gru: cuDNN kernel; no XLA: off"


@pytest.mark.parametrize(
    ("change", "blocker"),
    [
        ({"kind": "SimpleRNN"}, "SimpleRNN has no such path"),
        ({"use_cudnn": False}, "turned off"),
        ({"recurrent_dropout": 0.1}, "recurrent dropout"),
        ({"activation": "relu"}, "activation relu (needs tanh)"),
        ({"recurrent_activation": "relu"}, "recurrent activation relu (needs sigmoid)"),
        ({"unroll": True}, "unrolled"),
        ({"use_bias": False}, "no bias"),
        ({"reset_after": False}, "reset gate before the product"),
    ],
)
def test_each_condition_prevents_cudnn_and_is_named(change, blocker):
    found = plan(dataclasses.replace(GRU, **change))
    assert found.cudnn_blockers == (blocker,)
    assert found.path == ("unrolled" if "unroll" in change else "loop")
    assert f"no cuDNN: {blocker}" in found.describe()


def test_no_gpu_and_a_left_mask_prevent_cudnn():
    assert plan(gpus=0).cudnn_blockers == ("no GPU",)
    assert plan(mask_side="left").cudnn_blockers == ("a mask with left padding",)


def test_a_forced_implementation_is_shown():
    found = plan(dataclasses.replace(GRU, recurrent_dropout=0.1), gpus=0, xla=True)
    assert found.implementation == 1
    assert found.describe() == (
        "gru: plain loop under XLA, implementation 1 (requested 2: recurrent "
        "dropout forces 1); no cuDNN: no GPU, recurrent dropout"
    )


def run_step(make, jit):
    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, layers.Dense(1)(make(inputs)))
    model.compile("sgd", "mse", jit_compile=jit)
    model.fit(np.zeros((8, 6, 3)), np.zeros(8), batch_size=4, verbose=0)
    return model


LAYERS = {
    "gru 2": lambda x: layers.GRU(4, name="gru")(x),
    "gru 1": lambda x: layers.GRU(4, implementation=1, name="gru")(x),
    "gru dropout": lambda x: layers.GRU(4, recurrent_dropout=0.2, name="gru")(x),
    "gru before": lambda x: layers.GRU(4, reset_after=False, name="gru")(x),
    "gru unrolled": lambda x: layers.GRU(4, unroll=True, name="gru")(x),
    "lstm 2": lambda x: layers.LSTM(4, name="lstm")(x),
    "lstm 1": lambda x: layers.LSTM(4, implementation=1, name="lstm")(x),
    "stack": lambda x: layers.SimpleRNN(4, name="simple_rnn_2")(
        layers.SimpleRNN(4, return_sequences=True, name="simple_rnn_1")(x)
    ),
    "both ways": lambda x: build_bidirectional(
        layers.LSTM(4, implementation=1, name="lstm"), name="both_ways"
    )(x),
}


# XLA compiles for seconds. The run GRU_XLA has the second implementation.
UNDER_XLA = {"both ways"}


@pytest.mark.parametrize(
    ("case", "jit"),
    [
        pytest.param(
            case,
            jit,
            marks=pytest.mark.slow if jit and case not in UNDER_XLA else (),
            id=f"{case}, XLA {'on' if jit else 'off'}",
        )
        for case in LAYERS
        for jit in (False, True)
    ],
)
def test_the_rules_are_what_the_graph_shows(case, jit):
    model = run_step(LAYERS[case], jit)
    requested = None if case == "stack" else 1 if case.endswith(("1", "ways")) else 2
    plans = plan_model(model, requested, None, gpus=0)
    assert len(plans) == (2 if case in ("stack", "both ways") else 1)
    proofs = prove_kernels(model, plans)
    assert list_differences(plans, proofs) == []
    assert {proof.xla for proof in proofs} == {jit}
    path = "unrolled" if "unrolled" in case else "loop"
    assert {proof.path for proof in proofs} == {path}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "cuDNN"}, "path loop ran, cuDNN was planned"),
        ({"xla": True}, "xla False ran, True was planned"),
        ({"implementation": 1}, "implementation 2 ran, 1 was planned"),
    ],
)
def test_a_wrong_plan_is_noticed(change, message):
    model = run_step(LAYERS["gru 2"], jit=False)
    (right,) = plan_model(model, 2, None, gpus=0)
    wrong = [dataclasses.replace(right, **change)]
    (difference,) = list_differences(wrong, prove_kernels(model, wrong))
    assert message in difference


def test_a_wrong_plan_warns_and_is_recorded(tmp_path):
    class Folder:
        def write_kernels(self, record):
            self.record = record

    inputs = keras.Input((6, 3))
    model = keras.Model(inputs, layers.Dense(1)(LAYERS["gru 2"](inputs)))
    model.compile("sgd", "mse")
    (right,) = plan_model(model, 2, None, gpus=0)
    folder = Folder()
    callback = KernelRecord([dataclasses.replace(right, path="cuDNN")], folder)
    with pytest.raises(KernelWarning, match="loop ran, cuDNN was planned"):
        model.fit(np.zeros((8, 6, 3)), np.zeros(8), callbacks=[callback], verbose=0)
    assert folder.record["differences"]


def test_a_layer_that_is_not_in_the_graph_is_not_proved():
    model = run_step(LAYERS["gru 2"], jit=False)
    (right,) = plan_model(model, 2, None, gpus=0)
    with pytest.raises(LookupError, match="no trace of layer other"):
        prove_kernels(model, [dataclasses.replace(right, layer="other")])
    untrained = keras.Model(inputs := keras.Input((6, 3)), LAYERS["gru 2"](inputs))
    with pytest.raises(LookupError, match="no traced training step"):
        prove_kernels(untrained, [right])


@pytest.mark.parametrize(("recipe", "flags"), [on_one_worker(GRU_KERAS)])
def test_a_run_prints_and_records_its_kernels(recipe, flags, train_once):
    shared = train_once(recipe, flags)
    run = shared.run
    record = json.loads((run.path / "kernels.json").read_text())
    assert record["differences"] == []
    assert record["ran"] == [
        {"layer": "gru", "path": "loop", "xla": False, "implementation": 1}
    ]
    printed = " ".join(shared.output.split())  # long lines are wrapped
    assert record["planned"][0]["description"] in printed
    assert format_kernels(run.path) == "loop, implementation 1"


COMPILED = {"path": "compiled", "xla": False, "implementation": None}
XLA = {"path": "loop", "xla": True, "implementation": 2}


@pytest.mark.parametrize(
    ("recipe", "flags", "ran"),
    [
        on_one_worker(("imdb_gru", ()), [COMPILED]),
        on_one_worker(("imdb_lstm", ("--dropout", "0.2")), [COMPILED], slow=True),
        on_one_worker(
            ("imdb_bidirectional_lstm", ("--batching", "bucketed")), [COMPILED] * 2
        ),
        on_one_worker(GRU_DROPOUT, [COMPILED]),
        on_one_worker(  # its step runs every layer twice
            ("imdb_best", ("--kernel", "keras", *EQUAL_BATCHES)),
            [{"path": "loop", "xla": False, "implementation": 2}] * 2,
            slow=True,
        ),
        on_one_worker(
            ("imdb_simple_rnn", ("--jit", "on")),
            [{"path": "loop", "xla": True, "implementation": None}],
            slow=True,
        ),
        on_one_worker(GRU_XLA, [XLA]),
        on_one_worker(GRU_XLA_BUCKETED, [XLA], slow=True),
    ],
)
def test_the_requested_kernel_is_the_one_that_ran(recipe, flags, ran, train_once):
    run = train_once(recipe, flags).run
    record = json.loads((run.path / "kernels.json").read_text())
    assert record["differences"] == []
    found = [{key: row[key] for key in COMPILED} for row in record["ran"]]
    assert found == ran
    assert run.config["settings"]["kernel"] == (
        "compiled" if ran[0] == COMPILED else "keras"
    )
    assert run.config["jit_compile"] is ran[0]["xla"]


def test_a_layer_that_the_compiled_loop_cannot_run_is_named(tmp_path):
    inputs = keras.Input((6, 3))
    states = layers.GRU(4, return_sequences=True, name="lower")(inputs)
    outputs = layers.Dense(1)(layers.GRU(4, activation="elu", name="upper")(states))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    apply_kernel(model, "compiled")
    lower, upper = plans = plan_model(model, 2, None, gpus=0, compiled=True)
    assert (
        lower.describe() == "lower: compiled loop, implementation 2; no cuDNN: no GPU"
    )
    assert upper.describe().startswith(
        "upper: plain loop, implementation 2; no compiled loop: activation elu; "
    )
    model.fit(np.zeros((8, 6, 3)), np.zeros(8), verbose=0)
    assert list_differences(plans, prove_kernels(model, plans)) == []
    apply_kernel(model, "keras")
    model.compile("sgd", "mse")
    model.fit(np.zeros((8, 6, 3)), np.zeros(8), verbose=0)
    differences = list_differences(plans, prove_kernels(model, plans))
    assert differences == ["lower: path loop ran, compiled was planned."]


@pytest.mark.slow
def test_auto_measures_once_and_records_its_choice(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(choice, "TYPICAL_STEPS", 20)
    flags = ["--epochs", "1", "--kernel", "auto"]
    run = train_reviews("imdb_gru", tmp_path / "1", *flags)
    printed = capsys.readouterr().out
    assert "measured now" in printed
    assert "keras under XLA" in printed
    settings = run.config["settings"]
    assert settings["kernel"] in ("compiled", "keras")
    assert run.config["jit_compile"] is (settings["jit"] == "on")
    assert run.config["changed"]["kernel"] == "auto"
    record = json.loads((run.path / "kernels.json").read_text())
    assert record["differences"] == []
    monkeypatch.setattr(choice, "_time_layer", None)  # must not be called again
    again = train_reviews("imdb_gru", tmp_path / "2", *flags)
    assert "measured in an earlier run" in capsys.readouterr().out
    assert again.config["settings"] | {"data_dir": ""} == settings | {"data_dir": ""}
    with pytest.raises(TypeError):  # no time is saved for another implementation
        train_reviews("imdb_gru", tmp_path / "3", *flags, "--implementation", "1")


def test_saved_times_that_cannot_be_right_are_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(choice, "_time_layer", lambda *_: 0.1)
    model = keras.Sequential([keras.Input((6, 3)), layers.GRU(4)])
    assert "measured now" in choice.choose_kernel(model, 2)[0]
    (saved,) = (tmp_path / "cache" / "kernels").iterdir()
    for times in ({"keras": -1.0}, {"keras": "fast"}, {"other": 1.0}, {}, [1.0]):
        write_cached(f"kernels/{saved.name}", {"milliseconds": times})
        assert "measured now" in choice.choose_kernel(model, 2)[0]
        assert "measured in an earlier run" in choice.choose_kernel(model, 2)[0]


def test_auto_leaves_xla_out_where_it_is_off(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(choice, "_time_layer", lambda *how: 0.1 if how[-1] else 0.2)
    flags = ["--epochs", "1", "--kernel", "auto", "--jit", "off"]
    run = train_reviews("imdb_gru", tmp_path, *flags)
    assert "XLA 1" not in capsys.readouterr().out
    assert run.config["jit_compile"] is False
    record = json.loads((run.path / "kernels.json").read_text())
    assert record["ran"][0]["xla"] is False


def test_layers_in_other_dtypes_stay_on_keras_loop():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        inputs = keras.Input((6, 3))
        model = keras.Model(inputs, layers.GRU(4)(inputs))
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile("sgd", "mse")
    assert not apply_kernel(model, "compiled")
    (found,) = plan_model(model, 2, None, gpus=0, compiled=True)
    assert found.unsupported_options == ("numbers in bfloat16",)


@pytest.mark.parametrize(
    ("recipe", "flags", "xla"),
    [on_one_worker(GRU_XLA, True), on_one_worker(GRU_CUDNN_OFF, False)],
)
def test_a_loaded_model_keeps_xla_on_or_off(recipe, flags, xla, train_once):
    assert load_model(train_once(recipe, flags).run.path).jit_compile is xla


@pytest.mark.parametrize("quickest", mark_slow(choice.CHOICES, ["compiled", "keras"]))
@pytest.mark.parametrize(
    "recipe",
    ["imdb_gru", pytest.param("imdb_bidirectional_lstm", marks=pytest.mark.slow)],
)
def test_auto_takes_the_quickest_and_it_runs(recipe, quickest, tmp_path, monkeypatch):
    def pretend(layer, shape, compiled, xla):
        chosen = choice.CHOICES[quickest]
        wanted = (chosen["kernel"] == "compiled", chosen["jit"] == "on")
        return 0.1 if (compiled, xla) == wanted else 0.2

    monkeypatch.setattr(choice, "_time_layer", pretend)
    # Batches of one size and length, so that each step is compiled once.
    flags = ["--epochs", "1", "--kernel", "auto", "--batching", "fixed"]
    run = train_reviews(recipe, tmp_path, *flags, *EQUAL_BATCHES)
    expected = choice.CHOICES[quickest]
    assert run.config["settings"].items() >= expected.items()
    record = json.loads((run.path / "kernels.json").read_text())
    assert record["differences"] == []
    assert {row["xla"] for row in record["ran"]} == {expected["jit"] == "on"}


def test_compare_shows_that_kernels_differ(tmp_path, capsys):
    for seed, implementation in ((0, 1), (1, 2)):
        path = make_run(tmp_path, recipe=f"imdb-{'ab'[seed]}")
        ran = {"layer": "gru", "path": "loop", "xla": False}
        ran["implementation"] = implementation
        (path / "kernels.json").write_text(json.dumps({"planned": [], "ran": [ran]}))
    places = ["--results-dir", str(tmp_path), "--to", str(tmp_path / "to")]
    compare(places)
    printed = capsys.readouterr().out
    assert "The kernels differ" in printed
    assert "imdb-a: loop, implementation 1" in printed
    compare(["imdb-a", *places])
    assert "The kernels differ" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("recipe", "flags"),
    [
        on_one_worker(GRU_CUDNN_OFF),
        on_one_worker(GRU_KERAS),
        on_one_worker(("imdb_bidirectional_lstm", ("--implementation", "1"))),
        on_one_worker(
            ("imdb_bidirectional_lstm", ("--kernel", "keras", "--implementation", "1")),
            slow=True,
        ),
        on_one_worker(GRU_DROPOUT),
        on_one_worker(("imdb_simple_rnn", ()), slow=True),
    ],
)
def test_a_loaded_model_has_its_kernel_settings(recipe, flags, train_once):
    run = train_once(recipe, flags).run
    model = load_model(run.path)
    requested = run.config["settings"]["implementation"]
    planned = json.loads((run.path / "kernels.json").read_text())["planned"]
    compiled = run.config["settings"]["kernel"] == "compiled"
    settings = run.config["settings"]
    side = settings["padding"] if settings["mask"] else None
    found = plan_model(model, requested, side, gpus=0, compiled=compiled)
    assert [p.path for p in found] == [p["path"] for p in planned]
    assert [p.implementation for p in found] == [p["implementation"] for p in planned]
    assert [list(p.cudnn_blockers) for p in found] == [
        p["cudnn_blockers"] for p in planned
    ]
    model.compile("sgd", "binary_crossentropy")
    words = np.random.default_rng(0).integers(3, 31, (8, 7))
    model.fit(words, np.arange(8) % 2, verbose=0)  # and it trains on
    assert list_differences(found, prove_kernels(model, found)) == []
    if "--dropout" in flags:
        (layer,) = [layer for layer in model.layers if layer.name == "gru"]
        assert (layer.use_cudnn, layer.cell.dropout_mask_count) == (False, 3)


def test_a_file_that_is_no_model_of_a_run_is_refused(tmp_path):
    (tmp_path / "best.keras").write_bytes(b"no archive")
    with pytest.raises(UserError, match="not the model of a run"):
        load_model(tmp_path)


def test_the_table_shows_what_would_run_on_a_gpu():
    rows = {
        row[0]: row[1:]
        for row in list_rows("gru", GRUConfig(units=3), Context(can_mask=True), 0)
    }
    assert len(rows) >= 15
    here, there = rows["as given"]
    assert here == "compiled loop, implementation 2; no cuDNN: no GPU"
    assert there.startswith("cuDNN kernel")
    keras_here, keras_there = rows["--kernel keras"]
    assert keras_here.startswith("plain loop, implementation 2; no cuDNN: no GPU")
    assert keras_there == there
    assert rows["--jit on"][0].startswith("plain loop under XLA, implementation 2")
    assert rows["--unroll"][0].startswith("unrolled steps")
    assert rows["--mask --padding left"][1].startswith("plain loop under XLA")
    assert rows["--mask --padding right"][1].startswith("cuDNN kernel")
    assert rows["--kernel keras --mask --padding left"][0].endswith(
        "a mask with left padding; no XLA: auto turns it off without a GPU"
    )
    assert rows["--no-reset-after"][1].startswith("plain loop under XLA")
    assert "no XLA" in rows["--recurrent-dropout 0.2"][1]  # neither cuDNN nor XLA
    (only_there,) = {
        len(row) for row in list_rows("g", GRUConfig(units=3), Context(), 1)
    }
    assert only_there == 2
    flags = {row[0] for row in list_rows("r", SimpleRNNConfig(units=3), Context(), 0)}
    assert "--unroll" in flags
    assert not any("implementation" in flag or "cudnn" in flag for flag in flags)
    assert "--no-reset-after" not in {
        row[0] for row in list_rows("lstm", LSTMConfig(units=3), Context(), 0)
    }


def test_flags_and_layers_give_the_same_plan():
    for config, kind, layer in (
        (GRUConfig(units=3, recurrent_dropout=0.1), "GRU", layers.GRU),
        (LSTMConfig(units=3, unroll=True, cudnn="off"), "LSTM", layers.LSTM),
        (SimpleRNNConfig(units=3, activation="relu"), "SimpleRNN", layers.SimpleRNN),
    ):
        inputs = keras.Input((6, 3))
        outputs = layer(**config.arguments(), name="layer")(inputs)
        model = keras.Model(inputs, layers.Dense(1)(outputs))
        model.compile("sgd", "mse")
        for gpus in (0, 1):
            (found,) = plan_model(model, config.implementation, None, gpus)
            expected = plan_layer(
                read_config(config, "layer", kind), None, gpus, False, found.no_xla
            )
            assert found == expected


@pytest.mark.parametrize("recipe", ["imdb_gru", "weather_stacked_gru", "sum_gru"])
def test_the_table_trains_nothing(recipe, tmp_path, capsys):
    module = importlib.import_module(f"recipes.{recipe}")
    main(module.Config, module.run, ["--kernels", "--results-dir", str(tmp_path / "r")])
    printed = capsys.readouterr().out
    assert "with a GPU" in printed
    assert "as given" in printed
    assert not (tmp_path / "r").exists()


def test_a_recipe_without_recurrent_layer_has_no_table(capsys):
    from recipes import weather_dense

    with pytest.raises(SystemExit) as exit_:
        main(weather_dense.Config, weather_dense.run, ["--kernels"])
    assert exit_.value.code == 2
    assert "no recurrent layer" in capsys.readouterr().err
