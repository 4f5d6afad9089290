"""Flags from typed dataclasses: parsed, validated, and refused in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
)

from shared.core.context import Context
from shared.core.errors import MOST, UserError
from shared.core.renamed import use_new_flags
from shared.core.roles import list_flags, read_settings
from shared.core.signals import INTERRUPTED, kill_as_interrupt
from shared.core.text import escape_controls, shorten

Config = TypeVar("Config")
LONGEST_MESSAGE = 1000  # characters; a value of the user may be repeated in it
FULL = {errno.ENOSPC, errno.EDQUOT}
PARSED = ConstructorRegistry()
"""How numbers and paths are read."""


def parse(
    config_type: type[Config],
    flags: Sequence[str],
    prog: str,
    description: str,
    default: Config | None = None,
) -> Config:
    """Build a dataclass from flags. Old names of renamed flags still work.

    Args:
        config_type: The dataclass.
        flags: As typed.
        prog: Name of the program for `--help`.
        description: Of the program for `--help`.
        default: Values of the flags that were not typed; None: those of the dataclass.

    Raises:
        UserError: On a flag that does not exist or a value it does not accept.
        SystemExit: After `--help`, with status 0.
    """
    for before, text in zip(["", *flags], flags, strict=False):
        _check_text(before, text)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            return tyro.cli(
                config_type,
                args=use_new_flags(flags, list_names(config_type)),
                prog=prog,
                description=description,
                config=(tyro.conf.OmitArgPrefixes,),
                registry=PARSED,
                **({} if default is None else {"default": default}),
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
    """Print what the user can fix as one line, and what a program cannot repair.

    That is a `UserError`, a place that cannot be used and a lack of memory (status 2),
    and Ctrl-C or a kill (status 130).

    Args:
        place_flag: The flag that names another folder to write to.
    """
    try:
        with kill_as_interrupt():
            yield
    except UserError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.filename is None and error.errno not in FULL:
            _fail(f"{shorten(reason)}.")
        place = shorten(str(error.filename or "the results folder"))
        _fail(f"{place}: {reason}. Fix it, or name another folder with {place_flag}.")
    except Exception as error:
        if not _is_lack_of_memory(error):
            raise
        _fail(f"Not enough memory: {shorten(str(error))}. Choose smaller sizes.")


def _is_lack_of_memory(error: Exception) -> bool:
    # The second name is TensorFlow's. To import it here would take seconds.
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "ResourceExhaustedError"})


def _fail(message: str) -> None:
    if len(message) > LONGEST_MESSAGE:
        message = shorten(message, LONGEST_MESSAGE)
    print(f"error: {escape_controls(message)}", file=sys.stderr)
    sys.exit(2)


def _check_text(before: str, text: str) -> None:
    """Refuse an argument that is empty, or that no message and no file can hold.

    Args:
        before: The argument before it.
        text: The argument.
    """
    if not text or re.fullmatch(r"--[\w-]+=", text):
        flag = text.rstrip("=") or before
        flag = flag if flag.startswith("--") else "One argument"
        raise UserError(f"{flag}: the value is empty. Pass one, or omit the flag.")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise UserError(
            f"{shorten(text)}: has a control character, or bytes that are not UTF-8. "
            "Pass text without them."
        )


@PARSED.primitive_rule
def _read_flag(kind: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Return how a number or a path is read. None leaves the type to tyro."""
    readers = {int: _read_int, float: _read_float, Path: _read_path}
    if kind.type not in readers:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.type.__name__.upper(),
        instance_from_str=lambda texts: readers[kind.type](texts[0]),
        is_instance=lambda value: isinstance(value, kind.type),
        str_from_instance=lambda value: [str(value)],
    )


def _split_commas(read: Callable[[str], Any], metavar: str) -> PrimitiveConstructorSpec:
    """Return how a flag with several values is read: `a,b` or `a b`."""
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=metavar,
        instance_from_str=lambda texts: tuple(
            read(part.strip()) for text in texts for part in text.split(",") if part
        ),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(map(str, value))] if value else [],
    )


def _read_int(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(f"'{shorten(text)}' is not a whole number.")
    if len(text) > 20 or abs(int(text)) > MOST:
        raise ValueError(f"'{shorten(text)}' is too large. It takes at most {MOST:,}.")
    return int(text)


def _read_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"'{shorten(text)}' is not a number.") from None


def _read_path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # the user, or a home folder, is not known
        raise ValueError(f"'{shorten(text)}': no such home folder.") from None


def _condense(box: str) -> str:
    """Return the sentences of a framed error message as one line."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    lines = [line.strip("│| ") for line in plain.splitlines()[1:]]  # 0: the title
    text = " ".join(line for line in lines if re.search(r"\w", line))
    text = re.split(r"For full helptext|Argument helptext:", text)[0]
    text = re.sub(r"Error parsing (--\S+): (?=[a-z'])", r"\1: ", text)
    # tyro tries each type of an optional flag. The last is the one that takes a value.
    text = re.sub(r"no type matching .* - <class '[\w.]+'>: ", "", text)
    text, _, hint = text.partition("Perhaps you meant:")
    if flags := list(dict.fromkeys(re.findall(r"--[a-z][a-z-]*", hint)))[:3]:
        text += f" Perhaps you meant {' or '.join(flags)}."
    return re.sub(r"\s+", " ", text).strip()


NAMES = _split_commas(str, "NAME,NAME")
"""Marks a flag that takes several names, separated by commas or spaces."""
NUMBERS = _split_commas(_read_float, "X,X")
"""Marks a flag that takes several numbers, separated by commas or spaces."""
