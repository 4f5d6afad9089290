"""Settings of pip, as flags and variables of uv: a mirror, a proxy, a certificate.

Needs nothing but Python.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys

FLAGS = {
    "index-url": "--default-index",
    "extra-index-url": "--extra-index-url",
    "find-links": "--find-links",
    "constraint": "--constraint",
    "trusted-host": "--allow-insecure-host",
}
"""Setting of pip -> flag of uv, which is repeated for each of its values."""
SWITCHES = {"no-index": "--no-index", "no-cache-dir": "--no-cache"}
VARIABLES = {
    "cert": ("SSL_CERT_FILE",),
    "proxy": ("HTTPS_PROXY", "HTTP_PROXY"),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
}
HARMLESS = {
    "break-system-packages",
    "cache-dir",
    "compile",
    "disable-pip-version-check",
    "keyring-provider",
    "no-color",
    "no-compile",
    "no-input",
    "no-python-version-warning",
    "no-warn-script-location",
    "prefer-binary",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "retries",
    "root-user-action",
    "use-feature",
    "verbose",
}
"""Settings that do not decide what is installed from where."""
FALSE = {"", "0", "false", "no", "off", "n", "f"}


def translate(listed: str) -> tuple[list[str], dict[str, str]] | None:
    """Return flags and variables of uv.

    Args:
        listed: What `pip config list` prints.

    Returns:
        None if pip has a setting that uv may not understand.
    """
    settings: dict[str, str] = {}
    lines = [line.partition("=") for line in listed.splitlines() if "=" in line]
    # pip's order: a file, its section for `install`, the variables PIP_... .
    ranks = {"global": 0, "install": 1, ":env:": 2}
    for key, _, value in sorted(lines, key=lambda line: _rank(line[0], ranks)):
        if _rank(key, ranks) >= 0:
            settings[key.rpartition(".")[2]] = str(ast.literal_eval(value))
    flags: list[str] = []
    variables: dict[str, str] = {}
    for name, value in settings.items():
        if name in FLAGS:
            flags += [word for one in value.split() for word in (FLAGS[name], one)]
        elif name in SWITCHES:
            flags += [SWITCHES[name]] if value.lower() not in FALSE else []
        elif name in VARIABLES:
            variables |= dict.fromkeys(VARIABLES[name], value)
        elif name not in HARMLESS:
            return None
    return flags, variables


def _rank(key: str, ranks: dict[str, int]) -> int:
    """Return how strong a setting is; -1 for one of another command of pip."""
    return ranks.get(key.rpartition(".")[0], -1)


def read_settings() -> tuple[list[str], dict[str, str]] | None:
    """Return the settings of this user's pip as flags and variables of uv, or None."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    try:
        found = translate(listed.stdout) if not listed.returncode else None
    except (SyntaxError, ValueError):  # a form of another version of pip
        return None
    if found is None:
        return None
    flags, variables = found
    return flags, {k: v for k, v in variables.items() if k not in os.environ}
