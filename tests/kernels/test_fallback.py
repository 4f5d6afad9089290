"""Where Numba cannot run or cannot cache, Keras' loop runs and one line says so."""

import numba
import pytest

from recipes import sum_gru, weather_dense
from shared.core.flags import parse, resolve_config
from shared.kernels import choice, compiled
from shared.kernels.choice import use_available_kernel


@pytest.fixture(autouse=True)
def _forget():
    compiled.find_problem.cache_clear()
    yield
    compiled.find_problem.cache_clear()


def resolve(recipe, *flags):
    return resolve_config(parse(recipe.Config, flags, "x.py", ""))


def test_numba_switched_off(monkeypatch, capsys):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    config = use_available_kernel(resolve(sum_gru, "--kernel", "compiled"))
    assert config.gru.kernel == "keras"
    (line,) = capsys.readouterr().out.splitlines()
    assert "NUMBA_DISABLE_JIT" in line
    assert "Keras' loop runs" in line


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("cannot cache function '_activate': no locator available"),
        OSError(30, "Read-only file system"),
        EOFError("Ran out of input"),
        ImportError("libllvm is missing"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_numba_fails(error, monkeypatch, capsys):
    def fail():
        raise error

    monkeypatch.setattr(compiled, "prepare_loop", fail)
    config = use_available_kernel(resolve(sum_gru, "--kernel", "compiled"))
    assert config.gru.kernel == "keras"
    (line,) = capsys.readouterr().out.splitlines()
    assert str(error) in line


@pytest.mark.parametrize(
    ("recipe", "flags"), [(sum_gru, ["--kernel", "keras"]), (weather_dense, [])]
)
def test_without_the_compiled_loop_nobody_asks_numba(recipe, flags, monkeypatch):
    monkeypatch.setattr(choice, "find_problem", None)
    config = resolve(recipe, *flags)
    assert use_available_kernel(config) is config
