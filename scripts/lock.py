"""Writes requirements.lock and those beside it anew: every version for every platform, with hashes and no address. The
first holds what runs, requirements-spread.lock what spreads experiments over machines, requirements-onnx.lock what
writes ONNX, requirements-team.lock what a team's server and store take, requirements-dev.lock what develops and those
too; in the first's versions where they name a package of it.

``--benchmarks`` writes benchmarks/requirements.lock instead, of what only the benchmarks need.

uv resolves; it knows nothing of pip's configuration, so the index, mirror and certificate set there are handed on.
Versions that the lock has stay while they fit; ``--upgrade`` takes the newest.
"""

import argparse
import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence

COMPILE = ["uv", "pip", "compile", "--universal", "--generate-hashes", "--quiet"]
# One version for every Python that the project takes, so that another interpreter is not another NumPy too.
COMPILE += ["--python-version", "3.11", "--fork-strategy", "fewest"]
PROJECT = ["pyproject.toml", "--output-file", "requirements.lock", "--custom-compile-command", "make lock"]
EXTRAS = ("onnx", "spread", "team")
DEVELOPMENT = ["--group", "dev", "--constraints", "requirements.lock"]
DEVELOPMENT += [word for extra in EXTRAS for word in ("--constraints", f"requirements-{extra}.lock")]
DEVELOPMENT += ["--output-file", "requirements-dev.lock", "--custom-compile-command", "make lock"]
BENCHMARKS = ["benchmarks/requirements.in", "--output-file", "benchmarks/requirements.lock"]
BENCHMARKS += ["--custom-compile-command", "make lock-bench"]

# pip's setting -> uv's option, given once for each word of the value.
OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}
# pip's setting -> the variables by which uv takes it.
VARIABLES = {
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("HTTP_PROXY", "HTTPS_PROXY"),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
    "timeout": ("UV_HTTP_TIMEOUT",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the locks. Returns uv's exit code, of the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    parser.add_argument("--benchmarks", action="store_true", help="of the benchmarks, in place of the project")
    options = parser.parse_args(arguments)
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    settings = pip_settings(listed)
    common = [*uv_options(settings), *(["--upgrade"] if options.upgrade else [])]
    for asked in [BENCHMARKS] if options.benchmarks else [PROJECT, *map(_extra, EXTRAS), DEVELOPMENT]:
        command = [*COMPILE, *asked, *common]
        code = subprocess.run(command, check=False, env={**os.environ, **uv_variables(settings)}).returncode
        if code:
            return code
    return 0


def _extra(name: str) -> list[str]:
    """uv's words for the lock of a group of dependencies that only some need."""
    words = ["--group", name, "--constraints", "requirements.lock", "--output-file", f"requirements-{name}.lock"]
    return [*words, "--custom-compile-command", "make lock"]


def pip_settings(listed: str) -> dict[str, str]:
    """Parses ``pip config list``: the value of each setting, from the environment, else a command's, else global."""
    ranks = {"global": 0, "install": 1, ":env:": 2}
    found: dict[str, tuple[int, str]] = {}
    for section, name, value in re.findall(r"^(global|install|:env:)\.([\w-]+)=(.*)$", listed, re.MULTILINE):
        found[name] = max(found.get(name, (-1, "")), (ranks[section], str(ast.literal_eval(value))))
    return {name: value for name, (_, value) in found.items()}


def uv_options(settings: Mapping[str, str]) -> list[str]:
    """uv's options that say what pip's settings say. pip takes the best version of all indexes, so uv is told to."""
    options = ["--index-strategy", "unsafe-best-match"]
    for name, option in OPTIONS.items():
        for value in settings.get(name, "").split():
            options += [option, value]
    return options + (["--no-index"] if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"} else [])


def uv_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """uv's environment variables that say what pip's settings say."""
    return {variable: settings[name] for name in VARIABLES if name in settings for variable in VARIABLES[name]}


if __name__ == "__main__":
    sys.exit(main())
