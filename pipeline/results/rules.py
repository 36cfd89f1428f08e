"""Reads the gate's rules from gate.yaml."""

from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.comparison import rules
from mnistgan.errors import GateError
from pipeline.results import former

RULES = Path("gate.yaml")


def read(path: Path) -> Any:
    """Reads and parses a file of rules. Raises GateError where it is missing or holds what is not understood."""
    try:
        text = reading.text(path, GateError)
    except FileNotFoundError as error:
        raise GateError(f"{path}: no such file; run from the repository's root, or give --rules") from error
    return rules.parse(former.rules(reading.yaml_document(text, str(path), GateError)), str(path))
