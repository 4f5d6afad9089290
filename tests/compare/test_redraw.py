"""Pictures drawn again from the CSV files of a comparison."""

import pytest

from shared.compare.__main__ import main as compare
from shared.compare.redraw import main, read_comparison
from shared.runs.cost import find_cost, find_front, find_score
from tests.compare.test_compare import groups_of, make_run


@pytest.fixture
def compared(tmp_path):
    """Compare three groups of runs, and return the folder of the files."""
    for seed in range(2):
        make_run(tmp_path, seed=seed, accuracies=(0.6, 0.7 + 0.01 * seed))
        make_run(tmp_path, seed=seed, accuracies=(0.5, 0.8), units=64)
        make_run(tmp_path, "imdb-lstm", seed, accuracies=(0.55, 0.65, 0.6), mask=False)
    to = tmp_path / "to"
    places = ["--results-dir", str(tmp_path), "--to", str(to)]
    compare([*places, "--no-verdicts", "--name", "three"])
    return to


def test_the_groups_come_back_as_the_pictures_need_them(compared, tmp_path):
    found = read_comparison(compared / "three")
    groups = [g for g in groups_of(tmp_path) if g.runs[0].recipe.startswith("imdb")]
    assert [g.label for g in found] == [g.label for g in groups]
    for mine, group in zip(found, groups, strict=True):
        changed = {k: str(v) for k, v in group.runs[0].config["changed"].items()}
        assert {k: str(v) for k, v in mine.runs[0].config["changed"].items()} == changed
        for one, other in zip(mine.runs, group.runs, strict=True):
            assert (one.recipe, one.seed) == (other.recipe, other.seed)
            assert one.history["val_accuracy"] == other.history["val_accuracy"]
            assert one.summary["best"]["epoch"] == other.summary["best"]["epoch"]
        assert find_score(mine) == pytest.approx(find_score(group))
        assert find_cost(mine, "seconds") == find_cost(group, "seconds")
    (baseline,) = found[0].runs[0].summary["baselines"]
    assert baseline["name"] == "majority class"
    assert baseline["validation"] == {"accuracy": 0.5}
    labels = [[g.label for g in find_front(k, "parameters")] for k in (found, groups)]
    assert labels[0] == labels[1]


def test_the_command_writes_both_pictures_and_no_table(compared, capsys):
    names = ("three.png", "three-cost.png")
    for name in names:
        (compared / name).unlink()
    before = {p.name: p.read_bytes() for p in compared.glob("*.csv")}
    main([str(compared / "three")])
    for name in names:
        assert (compared / name).read_bytes().startswith(b"\x89PNG")
        assert name in capsys.readouterr().out or name == names[1]
    assert {p.name: p.read_bytes() for p in compared.glob("*.csv")} == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda to: (to / "three-runs.csv").unlink(), "there is no three-runs.csv"),
        (lambda to: (to / "three-runs.csv").write_text("a\n1\n"), "not of one"),
        (lambda to: (to / "three.csv").write_text("run,data\n"), "hold no run"),
    ],
)
def test_bad_files_are_one_line(compared, spoil, message, capsys):
    spoil(compared)
    with pytest.raises(SystemExit) as exit_:
        main([str(compared / "three")])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
