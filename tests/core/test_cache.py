"""The cache goes, and nothing else in its folder."""

from shared.core.cache import main


def test_only_what_the_suite_wrote_is_removed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RNN_RECIPES_CACHE", str(tmp_path))
    for name in ("baselines/reviews-1.npz", "kernels/2.json", "imdb-3-v1.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "imdb.npz").write_text("mine")
    main()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "imdb.npz", "thesis.txt"
    ]  # fmt: skip
    assert "Removed 3" in capsys.readouterr().out


def test_no_cache_is_no_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RNN_RECIPES_CACHE", str(tmp_path / "none"))
    main()
    assert "Removed 0" in capsys.readouterr().out
