"""Flags from typed dataclasses: parsed, validated, and refused in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import tyro

from shared.core.context import Context
from shared.core.errors import UserError
from shared.core.renamed import use_new_flags
from shared.core.roles import list_flags, read_settings

Config = TypeVar("Config")
# Messages of Python and tyro about a wrong value -> the same in plain words.
PLAIN_WORDS = {
    r"invalid literal for int\(\) with base 10: ('.*?')": r"\1 is not a whole number.",
    r"could not convert string to float: ('.*?')": r"\1 is not a number.",
    r"no type matching .*?INT could be instantiated from \[('.*?')\].*": (
        r"\1 is not a whole number."
    ),
}
BAD_PLACE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOSPC,
    errno.EDQUOT, errno.ENAMETOOLONG,
}  # fmt: skip


def parse(
    config_type: type[Config], flags: Sequence[str], prog: str, description: str
) -> Config:
    """Build a dataclass from flags. Old names of renamed flags still work.

    Raises:
        UserError: On a flag that does not exist or a value it does not accept.
        SystemExit: After `--help`, with status 0.
    """
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                config_type,
                args=use_new_flags(flags, list_names(config_type)),
                prog=prog,
                description=description,
                config=(tyro.conf.OmitArgPrefixes,),
            )
    except SystemExit as exit_:
        if not exit_.code:
            raise
        raise UserError(f"{_condense(errors.getvalue())} See {prog} --help.") from None


def list_names(config_type: type) -> set[str]:
    """Return the names of all flags of a dataclass, those of its groups too."""
    names: set[str] = set()
    for field in dataclasses.fields(config_type):
        group = type(field.default)
        if dataclasses.is_dataclass(group):
            names |= list_names(group)
        else:
            names.add(field.name)
    return names


def resolve_config(config: Config) -> Config:
    """Validate every part of a config, and resolve the defaults that depend on others.

    Prints a sentence for every value that had to change.

    Raises:
        UserError: On a value or a combination that cannot work, or a flag without a
            role.
    """
    list(list_flags(config))  # raises if a flag has no role
    parts = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if dataclasses.is_dataclass(getattr(config, field.name))
    }
    if hasattr(config, "validate"):
        config.validate()
    for part in parts.values():
        if hasattr(part, "validate"):
            part.validate()
    context = gather_context(config)
    changes = {}
    for name, part in parts.items():
        if hasattr(part, "resolve_defaults"):
            changes[name], notes = part.resolve_defaults(context)
            for note in notes:
                print(note)
    return dataclasses.replace(config, **changes)


def gather_context(config: Any) -> Context:
    """Return the facts that the parts of a config need about each other."""
    facts: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        part = getattr(config, field.name)
        facts |= part.context() if hasattr(part, "context") else {}
    return Context(**facts)


def drop_flags(flags: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return a command line without some flags and their values.

    Args:
        flags: As typed: `--name value` or `--name=value`, old names too.
        names: Flags that take one value, e.g. `--seeds`, by their names of today.
    """
    fields = {name.removeprefix("--").replace("-", "_") for name in names}
    kept: list[str] = []
    skip = False
    for flag, new in zip(flags, use_new_flags(flags, fields), strict=True):
        name = new.partition("=")[0].replace("_", "-")
        if skip:
            skip = False
        elif name in names:
            skip = "=" not in flag
        else:
            kept.append(flag)
    return kept


def list_changes(config: Any, default: Any) -> dict[str, Any]:
    """Return the flags that differ from the recipe's defaults."""
    usual = read_settings(default).values
    return {
        name: value
        for name, value in read_settings(config).values.items()
        if value != usual[name]
    }


@contextlib.contextmanager
def one_line_errors(place_flag: str) -> Iterator[None]:
    """Print a `UserError`, or a folder that cannot be written to, as one line.

    Args:
        place_flag: The flag that names another folder to write to.
    """
    try:
        yield
    except UserError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in BAD_PLACE:
            raise
        place = error.filename or "the results folder"
        _fail(
            f"{place}: {error.strerror}. Fix it, or name another folder with "
            f"{place_flag}."
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
