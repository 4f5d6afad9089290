"""Flags from typed dataclasses: parsed, checked, and refused in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import os
import re
import sys
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tyro

from shared.errors import UserError, check_at_least
from shared.recurrent import Surroundings
from shared.seeds import parse_seeds

Config = TypeVar("Config")
# What Python and tyro say of a wrong value, and what a user can read.
PLAIN_WORDS = {
    r"invalid literal for int\(\) with base 10: ('.*?')": r"\1 is no whole number.",
    r"could not convert string to float: ('.*?')": r"\1 is no number.",
    r"no type matching .*?INT could be instantiated from \[('.*?')\].*": (
        r"\1 is no whole number."
    ),
}
BAD_PLACE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOSPC,
    errno.EDQUOT, errno.ENAMETOOLONG,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the run goes."""

    results_dir: Path | None = None
    """Folder of all runs; None is results/runs of the project."""
    kernels: bool = False
    """Only print what the recurrent layer runs on with these and other flags."""
    seeds: str | None = None
    """Train once for each of these seeds, e.g. 0-4 or 0,3,7, in place of --seed."""
    jobs: int = 1
    """With --seeds: how many train at a time, each on its share of the cores."""
    threads: int | None = None
    """Cores to use; None takes all (with --jobs: an even share each)."""

    def check(self) -> None:
        """Refuse numbers that cannot be.

        Raises:
            UserError: With the flag, what it takes and the way out.
        """
        check_at_least(self, {"jobs": 1, "threads": 1})
        if self.seeds is not None:
            parse_seeds(self.seeds)
        if self.jobs > 1 and self.seeds is None:
            raise UserError(
                f"--jobs {self.jobs}: one training is one job; name several seeds, "
                "e.g. --seeds 0-4."
            )


def parse_recipe(
    config_type: type[Config], flags: Sequence[str], prog: str, description: str
) -> tuple[Config, Output]:
    """Parse the flags of a recipe and those that every recipe has."""
    types = typing.get_type_hints(config_type)
    names = [field.name for field in dataclasses.fields(config_type)]
    default = config_type()
    options = dataclasses.make_dataclass(
        "Options",
        [(name, types[name], getattr(default, name)) for name in names]
        + [("output", Output, Output())],
        frozen=True,
    )
    parsed = parse(options, flags, prog, description)
    return config_type(**{name: getattr(parsed, name) for name in names}), parsed.output


def parse(
    config_type: type[Config], flags: Sequence[str], prog: str, description: str
) -> Config:
    """Build a dataclass from flags.

    Raises:
        UserError: On a flag that does not exist or a value it does not take.
        SystemExit: After `--help`, with status 0.
    """
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                config_type,
                args=list(flags),
                prog=prog,
                description=description,
                config=(tyro.conf.OmitArgPrefixes,),
            )
    except SystemExit as exit_:
        if not exit_.code:
            raise
        raise UserError(f"{_condense(errors.getvalue())} See {prog} --help.") from None


def settle(config: Config) -> Config:
    """Check every part of a config, and settle what its parts decide together.

    Prints a sentence for every value that had to be changed.

    Raises:
        UserError: On a value or combination that cannot be.
    """
    parts = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if dataclasses.is_dataclass(getattr(config, field.name))
    }
    if hasattr(config, "check"):
        config.check()
    for part in parts.values():
        if hasattr(part, "check"):
            part.check()
    decided = {}
    for part in parts.values():
        decided |= part.decides() if hasattr(part, "decides") else {}
    around = Surroundings(**decided)
    changes = {}
    for name, part in parts.items():
        if hasattr(part, "resolve"):
            changes[name], notes = part.resolve(around)
            for note in notes:
                print(note)
    return dataclasses.replace(config, **changes)


def list_settings(config: Any) -> dict[str, Any]:
    """Return every flag of a config by name, flat and ready for JSON."""
    settings: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            settings |= list_settings(value)
        else:
            settings[field.name] = str(value) if isinstance(value, Path) else value
    return settings


def drop_flags(flags: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return a command line without some flags and their values.

    Args:
        flags: As typed: `--name value` or `--name=value`.
        names: Flags that take one value, e.g. `--seeds`.
    """
    kept: list[str] = []
    skip = False
    for flag in flags:
        name = flag.partition("=")[0].replace("_", "-")
        if skip:
            skip = False
        elif name in names:
            skip = "=" not in flag
        else:
            kept.append(flag)
    return kept


def list_changes(config: Any, default: Any) -> dict[str, Any]:
    """Return the flags that differ from the recipe's defaults."""
    usual = list_settings(default)
    return {
        name: value
        for name, value in list_settings(config).items()
        if value != usual[name]
    }


@contextlib.contextmanager
def one_line_errors(place_flag: str) -> Iterator[None]:
    """Turn a `UserError`, or a place that cannot be written, into one line.

    Args:
        place_flag: The flag that names another place to write to.
    """
    try:
        yield
    except UserError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in BAD_PLACE:
            raise
        place = error.filename or "the results folder"
        _fail(
            f"{place}: {error.strerror}; mend it or name another place ({place_flag})."
        )


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _condense(box: str) -> str:
    """Return the sentences of a framed error message as one line."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    lines = [line.strip("│| ") for line in plain.splitlines()[1:]]  # 0: the title
    text = " ".join(line for line in lines if re.search(r"\w", line))
    text = re.split(r"For full helptext|Argument helptext:", text)[0]
    text = re.sub(r"Error parsing (--\S+): (?=[a-z])", r"\1: ", text)
    for pattern, plain in PLAIN_WORDS.items():
        text = re.sub(pattern, plain, text)
    text, _, hint = text.partition("Perhaps you meant:")
    if flags := list(dict.fromkeys(re.findall(r"--[a-z][a-z-]*", hint))):
        text += f" Perhaps you meant {' or '.join(flags)}."
    return re.sub(r"\s+", " ", text).strip()
