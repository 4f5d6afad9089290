"""Odd flags: status 0 and the values that were typed, or status 2 and one line."""

from __future__ import annotations

import importlib
from pathlib import Path
from random import Random
from typing import Any

from shared.commands.options import parse_recipe
from shared.core.flags import one_line_errors, resolve_config
from shared.core.roles import read_settings
from tests.helpers import RECIPES
from tests.torture.outcome import SHOWN, check, check_line, run_here

COMMON = {"results_dir": "", "seeds": "", "workers": 1, "threads": 1, "kernels": False}
ODD = (
    "", "0", "-1", "-0", "+3", "1", "2", "7", "0.5", ".5", "1e3", "1e-400", "1e309",
    "nan", "inf", "-inf", "99999999999999999999", "9007199254740993", "100000000",
    "2147483648", "x" * 5000, "9" * 5000, "\x1b[31mred", "\u0661", "0x10", "1_0",
    "True", "None", "none", "null", " 3", "3 ", "3.0", "3,5", "\U0001f642", "\udcff",
    "--", "-", "---", "=", "/proc/x", "/dev/full", "~nobody-here/x", "*", "a b", "%s",
    "{0}", "[/red]", "\u202eabc", "a\nb", "\0", "0-4", "4-0", "0-999999999", "0,0",
    "0-", "-5-2", "1-2-3", "gru", "auto", "\\", "'", '"', "$HOME", "1;2",
)  # fmt: skip


def attempt(random: Random, place: Path) -> str:
    """Parse and resolve random flags of a random recipe, without training."""
    recipe = random.choice(RECIPES)
    module = importlib.import_module(f"recipes.{recipe}")
    usual = read_settings(module.Config()).values
    typed, flags = draw_flags(random, COMMON | usual)
    print(recipe, flags)
    resolved: list[Any] = []

    def main(flags: list[str]) -> None:
        with one_line_errors("--results-dir"):
            config, options = parse_recipe(module.Config, flags, recipe, "")
            options.validate()
            resolve_config(config)
            resolved.append((config, options))

    status, _, errors = run_here(main, flags)
    check(status in (0, 2), f"status {status}: {errors}")
    if status == 2:
        return check_line(errors)
    check(not errors, f"on stderr: {errors}")
    config, options = resolved[0]
    found = vars(options) | read_settings(config).values
    for name, text in typed.items():
        default = (COMMON | usual)[name]
        if type(default) in (int, float):
            check(found[name] == type(default)(text), f"{name}: {found[name]}")
    return SHOWN


def draw_flags(random: Random, known: dict[str, Any]) -> tuple[dict[str, str], list]:
    """Return the values that the flags state, and the flags as they are typed."""
    typed, flags = {}, []
    for _ in range(random.choice([1, 1, 1, 2, 3, 6])):
        name = random.choice(list(known))
        form = "--" + name.replace("_", "-")
        value = random.choice(ODD)
        if random.random() < 0.3 and known[name] is not None:
            value = str(known[name])
        way = random.random()
        if known[name] is True or known[name] is False:
            form = random.choice([form, form.replace("--", "--no-", 1)])
            flags += random.choice([[form]] * 3 + [[form, value], [f"{form}={value}"]])
        elif way < 0.55:
            flags += [form, value]
            typed[name] = value
        elif way < 0.8:
            flags += [f"{form}={value}"]
            typed[name] = value
        elif way < 0.85:
            flags += [form]
        elif way < 0.9:
            flags += [value]
        else:
            letters = list(form)
            letters[random.randrange(len(letters))] = random.choice("-_xE\u00e9 =")
            flags += ["".join(letters), value]
    return typed, [flag for flag in flags if flag not in ("-h", "--help")]
