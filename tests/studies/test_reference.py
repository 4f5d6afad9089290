"""The reference: what is trained, what is published, and the pages."""

import dataclasses
import json
import re

import numpy as np
import pytest

from shared.baselines.baseline import Baseline
from shared.core.errors import UserError
from shared.core.recipes import RecipeInfo, list_recipes, load_recipe
from shared.data.splits import Examples, Splits
from shared.runs.groups import group_runs
from shared.runs.reader import Run, find_runs, read_run
from shared.runs.writer import RunFolder
from shared.studies.reference import __main__ as program
from shared.studies.reference import claim_checks as claims_module
from shared.studies.reference import experiments, results_page
from shared.studies.reference import publish as reference_publish
from shared.studies.reference import train_missing as reference_train
from shared.studies.reference.claim_list import list_claims
from shared.studies.reference.claims import list_pairs
from shared.studies.reference.claims_page import format_claims
from shared.studies.reference.experiments import (
    Experiment,
    ReferenceTrial,
    find_weather,
    list_experiments,
    load_defaults,
    make_experiment,
)
from shared.studies.reference.publish import count_concurrent_runs, publish
from shared.studies.reference.published import read_reference
from shared.studies.reference.results_page import format_tables, read_published_figures
from shared.sweeps import trials
from shared.sweeps.trials import TrialIndex
from shared.tasks.task import BinaryClassification
from tests.compare.test_verdicts import answer, make_labels
from tests.helpers import (
    PROJECT,
    make_reviews,
    make_settings,
    train_here,
    write_npz,
)
from tests.runs.test_runs import make_model, row
from tests.undrawn import leave_undrawn

RESULTS = PROJECT / "results"
PLAIN = {"config.json", "summary.json", "history.csv", "kernels.json"}
WEATHER = "jena-2020"


def score(labels, predictions):
    measured = BinaryClassification().measure("accuracy", labels, predictions)
    return float(measured.mean())


def write_run(root, recipe, seed, share=0.8, seconds=3.0, **changes):
    """Write a finished run on reviews as a recipe would, with every setting."""
    labels = make_labels()
    predictions = answer(labels, share, seed)
    settings = load_defaults(recipe) | changes | {"data": "imdb", "seed": seed}
    settings |= {"data_dir": "/home/someone/data", "kernel": "compiled", "mask": True}
    places = f"--data-dir /home/someone/data --results-dir {root}"
    command = f"python recipes/{recipe.replace('-', '_')}.py {places} --seed {seed}"
    changed = changes | {"data_dir": "/home/someone/data"}
    folder = RunFolder(recipe, make_settings(**settings), changed, command, root)
    test = Examples(labels, labels)
    facts = {"file": "/home/someone/data/imdb.npz", "sha256": "ab" * 32}
    baseline = answer(labels, 0.7, 99)
    scores = {"accuracy": score(labels, baseline)}
    baselines = [Baseline("linear model", scores, scores, predictions=baseline)]
    folder.open(Splits("imdb", test, test, test, facts), baselines, make_model())
    rows = [row(k, share - 0.02 * abs(k - 2)) for k in (1, 2, 3)]
    folder.write_progress(rows, rows[1])
    folder.write_predictions(test, predictions)
    folder.write_kernels({"planned": [], "ran": [], "differences": []})
    reached = score(labels, predictions)
    scores = {"test_accuracy": reached, "test_loss": 0.5}
    test = {"best": scores, "last": scores}
    folder.close("finished", test=test, seconds=seconds)
    return folder.path


def set_seconds_per_epoch(path, seconds):
    summary = json.loads((path / "summary.json").read_text())
    summary["seconds_per_epoch"] = seconds
    (path / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def undrawn(monkeypatch):
    """Draw no pictures, which take most of the time."""
    monkeypatch.setattr(reference_publish, "draw_pictures", lambda *_: None)


def publish_all(root, to, recipes, seeds=(0, 1, 2)):
    experiments = [Experiment(recipe) for recipe in recipes]
    return publish(experiments, seeds, WEATHER, TrialIndex(root), to)


def test_every_published_recipe_is_trained_at_its_defaults():
    plain = [e.recipe for e in list_experiments() if not e.changes]
    assert plain == [k for k, recipe in list_recipes().items() if recipe.reference]
    assert len(plain) >= 20


def test_every_claim_rests_on_experiments_that_are_trained():
    labels = {e.label for e in list_experiments()}
    claims = list_claims()
    assert len(claims) == 12
    used = {label for pair in list_pairs(claims) for label in pair}
    used |= {label for claim in claims for label in claim.drawn}
    assert used <= labels
    # Every experiment that is not a recipe's defaults belongs to a claim.
    assert {e.label for e in list_experiments() if e.changes} <= used


def test_every_recipe_says_what_it_changes():
    published = {k: r for k, r in list_recipes().items() if r.reference}
    assert all(recipe.varies for recipe in published.values())
    assert len(published) >= 20
    assert read_published_figures().keys() <= {e.label for e in list_experiments()}


def test_a_flag_that_is_the_default_makes_no_variant():
    usual = load_defaults("imdb-gru")
    same = make_experiment("imdb-gru", batching=usual["batching"])
    assert same == Experiment("imdb-gru")
    both = make_experiment("imdb-gru", units=7, length=9)
    assert both.label == "imdb-gru --length 9 --units 7"  # in the order of settings
    turned = make_experiment("imdb-gru", go_backwards=True)
    assert (turned.flags, turned.slug) == ("--go-backwards", "go-backwards")


def test_recipes_can_be_chosen_and_misspelt():
    chosen = list_experiments(["sum_gru", "vowel-gru"])
    assert [e.label for e in chosen] == ["sum-gru", "vowel-gru"]
    with pytest.raises(UserError, match="imdb-gruu"):
        list_experiments(["imdb-gruu"])


def test_a_run_belongs_to_a_trial_if_all_settings_are_of_today(tmp_path):
    run = read_run(write_run(tmp_path, "imdb-gru", 1))
    versions = run.config["versions"]
    trial = ReferenceTrial(Experiment("imdb-gru"), 1, WEATHER)
    assert trial.is_made_by(run, versions)
    assert not trial.is_made_by(run, versions | {"keras": "2"})
    assert not dataclasses.replace(trial, seed=2).is_made_by(run, versions)
    assert not trial.is_made_by(dataclasses.replace(run, state="failed"), versions)
    units = ReferenceTrial(Experiment("imdb-gru", (("units", 64),)), 1, WEATHER)
    assert not units.is_made_by(run, versions)
    lstm = ReferenceTrial(Experiment("imdb-lstm"), 1, WEATHER)
    assert not lstm.is_made_by(run, versions)

    def change(**parts):
        config = {k: run.config[k] | v for k, v in parts.items()}
        return dataclasses.replace(run, config=run.config | config)

    assert not trial.is_made_by(change(settings={"limit": 20}), versions)
    assert not trial.is_made_by(change(settings={"global_clipnorm": 1.0}), versions)
    assert not trial.is_made_by(change(changed={"kernel": "keras"}), versions)
    assert not trial.is_made_by(change(settings={"gone": 1}), versions)
    older = change(settings={})
    del older.config["settings"]["global_clipnorm"]  # a flag that did not exist then
    assert trial.is_made_by(older, versions)
    clipped = ReferenceTrial(
        Experiment("imdb-gru", (("global_clipnorm", 1.0),)), 1, WEATHER
    )
    assert not clipped.is_made_by(older, versions)
    sample = dataclasses.replace(run, summary=run.summary | {"data": "imdb-sample"})
    assert not trial.is_made_by(sample, versions)


def test_the_command_selects_real_data():
    commands = {
        recipe: ReferenceTrial(Experiment(recipe), 4, WEATHER).command(PROJECT)
        for recipe in ("imdb-lstm", "weather-gru", "sum-gru")
    }
    assert commands["imdb-lstm"][1].endswith("recipes/imdb_lstm.py")
    assert commands["imdb-lstm"][2:6] == ["--data", "imdb", "--seed", "4"]
    assert commands["weather-gru"][2:6] == ["--data", WEATHER, "--seed", "4"]
    assert "--data" not in commands["sum-gru"]


def test_a_weather_file_on_this_machine_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_RECIPES_DATA", str(tmp_path))
    assert find_weather() == "jena-2009-2016"
    (tmp_path / "weather_jena_2020.csv.gz").write_bytes(b"x")
    assert find_weather() == "jena-2020"


def test_slow_recipes_get_three_seeds_and_existing_runs_are_kept(
    tmp_path, monkeypatch, capsys
):
    slow, quick = Experiment("imdb-lstm"), Experiment("imdb-gru")
    index = TrialIndex(tmp_path)
    trained = []

    def make(trial):
        settings = load_defaults(trial.experiment.recipe) | trial.changes
        summary = {"recipe": trial.experiment.recipe, "seed": trial.seed}
        summary |= {"data": "imdb"}
        summary["seconds_per_epoch"] = 61 if trial.experiment == slow else 59
        config = {"settings": settings, "changed": {}, "versions": index.versions}
        return Run(tmp_path, config, summary, {}, "finished")

    def pretend(missing, results_dir, num_workers, threads):
        assert threads == 1
        trained.extend((t.experiment.recipe, t.seed) for t in missing)
        index.runs += [make(trial) for trial in missing]
        return []

    monkeypatch.setattr(trials, "train_trials", pretend)
    monkeypatch.setattr(index, "read", lambda: None)
    index.runs.append(make(ReferenceTrial(quick, 1, WEATHER)))
    reference_train.train_missing([quick, slow], range(5), WEATHER, index, 2)
    assert [seed for recipe, seed in trained if recipe == "imdb-lstm"] == [0, 1, 2]
    assert [seed for recipe, seed in trained if recipe == "imdb-gru"] == [0, 2, 3, 4]
    assert "imdb-lstm: over 60 s per epoch" in capsys.readouterr().out


def test_published_runs_read_like_runs_and_hold_no_data(tmp_path):
    for seed in range(3):
        write_run(tmp_path / "runs", "imdb-gru", seed, 0.9)
    to = tmp_path / "reference"
    reference = publish_all(tmp_path / "runs", to, ["imdb-gru"])
    runs = find_runs(to)
    assert [run.path.name for run in runs] == ["seed0", "seed1", "seed2"]
    for run, full in zip(runs, find_runs(tmp_path / "runs"), strict=True):
        assert {path.name for path in run.path.iterdir()} == PLAIN
        assert (run.summary, run.history) == (full.summary, full.history)
        assert run.config["published"]["run"] == full.path.name
        assert run.config["data_facts"]["file"] == "imdb.npz"
        assert run.config["command"] == f"python recipes/imdb_gru.py --seed {run.seed}"
        text = "".join(path.read_text() for path in run.path.iterdir())
        assert "someone" not in text
        assert str(tmp_path) not in text
    names = {p.name for p in to.rglob("*") if p.is_file()}
    assert names == PLAIN | {"verdicts.csv", "curves.png"} | {
        claim.picture.removeprefix("claims/")
        for claim in list_claims()
        if "imdb-gru" in claim.drawn
    }
    (group,) = group_runs(runs)
    assert group.label == "imdb-gru"
    verdict = reference.find_baseline("imdb-gru")
    assert verdict["second"] == "linear model"
    assert 0.1 < float(verdict["difference"]) < 0.3
    assert "better than linear model" in verdict["sentence"]


def test_pairs_of_claims_are_compared_and_others_stay(undrawn, tmp_path, capsys):
    for seed in range(3):
        write_run(tmp_path / "one", "imdb-gru", seed, 0.9)
        write_run(tmp_path / "one", "imdb-simple-rnn", seed, 0.6)
        write_run(tmp_path / "two", "imdb-lstm", seed, 0.9)
    to = tmp_path / "reference"
    first = publish_all(tmp_path / "one", to, ["imdb-gru", "imdb-simple-rnn"])
    found = first.verdicts["imdb-gru", "imdb-simple-rnn"]
    assert found["second_is_baseline"] == "False"
    assert 0.2 < float(found["difference"]) < 0.4
    second = publish_all(tmp_path / "two", to, ["imdb-lstm"])
    assert set(second.groups) == {"imdb-gru", "imdb-lstm", "imdb-simple-rnn"}
    assert second.verdicts["imdb-gru", "imdb-simple-rnn"] == found
    assert second.find_baseline("imdb-lstm") is not None
    assert ("imdb-lstm", "imdb-gru") not in second.verdicts  # no predictions of these
    assert read_reference(to) == second
    assert "are gone" not in capsys.readouterr().out
    publish_all(tmp_path / "one", to, ["imdb-gru"])
    assert "between new runs and imdb-simple-rnn are gone" in capsys.readouterr().out


def test_every_group_is_compared_with_the_best(undrawn, tmp_path):
    recipes = {"imdb-gru": 0.9, "imdb-bidirectional-lstm": 0.6, "imdb-gru-dropout": 0.7}
    for recipe, share in recipes.items():
        for seed in range(3):
            write_run(tmp_path / "runs", recipe, seed, share)
    reference = publish_all(tmp_path / "runs", tmp_path / "reference", [*recipes])
    found = {
        pair: float(row["difference"])
        for pair, row in reference.verdicts.items()
        if row["second_is_baseline"] == "False"
    }
    pairs = [("imdb-gru", "imdb-bidirectional-lstm"), ("imdb-gru", "imdb-gru-dropout")]
    assert sorted(found) == pairs
    assert [found[pair] for pair in pairs] == pytest.approx([0.3, 0.2], abs=0.05)
    assert "correction for 2 pairs" in reference.verdicts[pairs[0]]["sentence"]


def test_fewer_runs_never_replace_more(undrawn, tmp_path, capsys):
    for seed in range(3):
        write_run(tmp_path / "old", "imdb-gru", seed, 0.9)
    write_run(tmp_path / "new", "imdb-gru", 0, 0.6)
    to = tmp_path / "reference"
    before = publish_all(tmp_path / "old", to, ["imdb-gru"])
    assert publish_all(tmp_path / "new", to, ["imdb-gru"]) == before
    assert "1 runs here, 3 already published" in capsys.readouterr().out
    for seed in (1, 2, 3):
        write_run(tmp_path / "new", "imdb-gru", seed, 0.6)
    publish_all(tmp_path / "new", to, ["imdb-gru"], seeds=range(4))
    assert len(find_runs(to)) == 4
    assert read_reference(to).groups["imdb-gru"].runs[0].summary["best"][
        "val_accuracy"
    ] == pytest.approx(0.6)


def test_three_runs_with_slow_epochs_replace_five(undrawn, tmp_path, capsys):
    for seed in range(5):
        write_run(tmp_path / "old", "imdb-gru", seed, 0.9)
    to = tmp_path / "reference"
    before = publish_all(tmp_path / "old", to, ["imdb-gru"], range(5))
    for seed in range(3):
        path = write_run(tmp_path / "new", "imdb-gru", seed, 0.6)
        set_seconds_per_epoch(path, 61)
        if seed == 1:  # two are too few
            assert publish_all(tmp_path / "new", to, ["imdb-gru"]) == before
            assert "2 runs here, 5 already published" in capsys.readouterr().out
    publish_all(tmp_path / "new", to, ["imdb-gru"])
    assert [run.seed for run in find_runs(to)] == [0, 1, 2]


def test_concurrent_runs_are_counted_by_hand(tmp_path):
    def make(start, seconds):
        path = tmp_path / f"2026-01-02T03-04-{start:02d}Z-seed0"
        return Run(path, {}, {"seconds": seconds}, {}, "finished")

    run = make(10, 20.0)
    assert count_concurrent_runs(run, [run]) == 0
    others = [make(0, 20.0), make(29, 50.0)]  # 10 and 1 of 20 seconds: 0.55
    assert count_concurrent_runs(run, [run, *others]) == pytest.approx(0.6)
    assert count_concurrent_runs(run, [make(30, 5.0), make(0, None)]) == 0


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Two experiments that train in seconds, in this process."""
    write_npz(tmp_path / "data" / "imdb.npz", make_reviews(100))
    monkeypatch.setenv("RNN_RECIPES_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(trials, "run_workers", train_here)
    reviews = {"vocabulary": 31, "length": 7, "embedding_size": 5, "epochs": 2}
    reviews["batch_size"] = 16
    sums = {"train_windows": 64, "validation_windows": 16, "test_windows": 16}
    experiments = [
        make_experiment("imdb-gru", kernel="keras", units=3, **reviews),
        make_experiment("sum-gru", kernel="keras", units=3, epochs=1, **sums),
    ]
    monkeypatch.setattr(program, "list_experiments", lambda _: experiments)
    with leave_undrawn():
        yield experiments


@pytest.mark.slow
def test_the_program_trains_publishes_and_resumes(small, tmp_path, capsys):
    places = ["--results-dir", str(tmp_path / "runs"), "--to", str(tmp_path / "to")]
    program.main(["--seeds", "1", *places])
    assert "2 trainings, 0 of them already trained" in capsys.readouterr().out
    program.main(["--seeds", "1", *places])
    assert "2 trainings, 2 of them already trained" in capsys.readouterr().out
    assert len(find_runs(tmp_path / "runs")) == 2
    published = find_runs(tmp_path / "to" / "reference")
    assert [(run.recipe, run.seed) for run in published] == [
        ("imdb-gru", 1),
        ("sum-gru", 1),
    ]
    reference = read_reference(tmp_path / "to" / "reference")
    assert set(reference.groups) == {experiment.label for experiment in small}
    page = (tmp_path / "to" / "README.md").read_text()
    assert page == format_tables(reference)
    claims = (tmp_path / "to" / "CLAIMS.md").read_text()
    assert claims.count("**Not run.**") == 12
    (tmp_path / "to" / "CLAIMS.md").unlink()
    program.main(["--tables-only", *places])
    assert (tmp_path / "to" / "CLAIMS.md").read_text() == claims


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--recipes", "imdb-gruu"], "--recipes imdb-gruu"),
        (["--seeds", "a"], "--seeds a"),
        (["--workers", "0"], "--workers 0"),
        (["--weather", "here"], "--weather"),
    ],
)
def test_wrong_flags_are_one_line(flags, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        program.main([*flags, "--to", str(tmp_path / "to")])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_page_shows_every_run_and_what_is_missing(undrawn, tmp_path):
    for seed in range(3):
        write_run(tmp_path / "runs", "imdb-gru", seed, 0.9)
    reference = publish_all(tmp_path / "runs", tmp_path / "to", ["imdb-gru"])
    page = format_tables(reference)
    lines = [line for line in page.splitlines() if line.startswith("| `imdb-gru` |")]
    (cells,) = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    scores = [
        run.summary["test"]["best"]["test_accuracy"]
        for run in reference.groups["imdb-gru"].runs
    ]
    mean, std = np.mean(scores), np.std(scores, ddof=1)
    assert cells[1] == "the layer"
    assert cells[2] == "3"
    assert cells[3].startswith("linear model: 0.")
    assert cells[4] == "0.9000 ± 0.0000"
    assert cells[5] == f"{mean:.4f} ± {std:.4f}"
    assert cells[6] == "3"
    assert cells[7] == "1.5*"  # opened within a second of each other
    assert ".879" in cells[8]
    for experiment in list_experiments():
        if experiment.label != "imdb-gru":
            name = " ".join(filter(None, [experiment.recipe, experiment.flags]))
            assert re.search(rf"^\| `{name}` \|.*not run yet", page, re.MULTILINE)
    assert "How well does one GRU layer read film reviews?" in page


def test_the_committed_pages_are_those_of_the_committed_runs():
    """Else: make reference-tables."""
    reference = read_reference(RESULTS / program.FOLDER)
    for name, text in (
        ("README.md", format_tables(reference)),
        ("CLAIMS.md", format_claims(reference, list_claims())),
    ):
        there = (RESULTS / name).read_text(encoding="utf-8")
        assert there == text, f"results/{name} is stale: run make reference-tables"


def test_a_recipe_without_published_runs_changes_no_claim(monkeypatch):
    reference = read_reference(RESULTS / program.FOLDER)
    tables = format_tables(reference)
    claims = format_claims(reference, list_claims())
    private = RecipeInfo("imdb-gru-private", "Is it better?", "the layer")
    declared = dataclasses.replace(private, name="imdb-gru-new", reference=({},))

    def load(name):
        return load_recipe("imdb-gru" if name == declared.name else name)

    monkeypatch.setattr("shared.sweeps.trial.load_recipe", load)
    for recipe in (private, declared):
        recipes = list_recipes() | {recipe.name: recipe}
        for module in (experiments, claims_module, results_page):
            monkeypatch.setattr(module, "list_recipes", lambda found=recipes: found)
        again = format_claims(reference, list_claims.__wrapped__())
        assert again == claims, recipe.name
        assert (format_tables(reference) == tables) == (recipe is private)


def test_a_stale_page_is_found(undrawn, tmp_path):
    for seed in range(2):
        write_run(tmp_path / "runs", "imdb-gru", seed, 0.9)
    reference = publish_all(tmp_path / "runs", tmp_path / "to", ["imdb-gru"])
    before = format_tables(reference)
    path = tmp_path / "to" / "imdb-gru" / "seed1" / "summary.json"
    summary = json.loads(path.read_text())
    summary["test"]["best"]["test_accuracy"] += 0.01
    path.write_text(json.dumps(summary))
    assert format_tables(read_reference(tmp_path / "to")) != before


def test_committed_runs_are_slim_and_contain_no_path():
    reference = read_reference(RESULTS / program.FOLDER)
    assert set(reference.groups) <= {e.label for e in list_experiments()}
    for run in find_runs(RESULTS / program.FOLDER):
        assert {path.name for path in run.path.iterdir()} <= PLAIN, run.path
        text = (run.path / "config.json").read_text()
        assert not re.search(r'"[^"]*(?<![\w.])/(?:home|tmp|work|root|Users)/', text)


def test_pictures_and_links_of_the_pages_exist():
    for name in ("README.md", "CLAIMS.md"):
        page = (RESULTS / name).read_text()
        for link in re.findall(r"\]\(([^)#]+)\)", page):
            assert (RESULTS / link).is_file(), link
        for anchor in re.findall(r"\]\(#([^)]+)\)", page):
            assert f'<a id="{anchor}">' in page
