"""The commands of ``python -m pipeline`` as typer has them, those of groups by both words: ``seeds train``."""

from collections.abc import Sequence
from typing import Any

from typer.main import get_command

from pipeline.__main__ import app

TOP: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
GROUPS: dict[str, dict[str, Any]] = {name: each.commands for name, each in TOP.items() if hasattr(each, "commands")}
COMMANDS = {name: each for name, each in TOP.items() if name not in GROUPS} | {
    f"{group} {name}": each for group, inner in GROUPS.items() for name, each in inner.items()
}


def named(words: Sequence[str]) -> str:
    """The command that words begin with, be there such a one or not."""
    return " ".join(words[: 2 if words[0] in GROUPS else 1])
