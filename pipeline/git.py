"""Git, asked by its own program: what every command here that needs history calls."""

import subprocess
from collections.abc import Mapping
from pathlib import Path


def run(
    *arguments: str,
    folder: Path = Path(),
    environment: Mapping[str, str] | None = None,
    told: bytes | None = None,
    seconds: float | None = None,
) -> bytes:
    """What a git command prints in ``folder``, ``told`` on its standard input; ``environment`` is all that it sees.

    Raises OSError where there is no git, subprocess.SubprocessError where it fails or takes longer than ``seconds``.
    """
    return subprocess.run(  # noqa: S603 - a list of words, which no shell reads
        ["git", *arguments],  # noqa: S607 - the git that the person uses
        cwd=folder,
        env=environment,
        input=told,
        capture_output=True,
        check=True,
        timeout=seconds,
    ).stdout


def ask(*arguments: str, folder: Path = Path(), told: bytes | None = None) -> bytes | None:
    """What a git command prints; None where it fails, there is no git, or no repository."""
    try:
        return run(*arguments, folder=folder, told=told)
    except (OSError, subprocess.CalledProcessError):
        return None
