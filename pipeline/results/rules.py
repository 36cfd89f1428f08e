"""Reads the gate's rules from gate.yaml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnistgan import reading
from mnistgan.comparison import rules
from mnistgan.errors import GateError
from pipeline.results import former

RULES = Path("gate.yaml")


def read(path: Path) -> dict[str, Any]:
    """Reads and parses a file of rules: each data set's, by its name.

    Raises GateError where it is missing or holds what is not understood.
    """
    try:
        text = reading.text(path, GateError)
    except FileNotFoundError as error:
        raise GateError(f"{path}: no such file; run from the repository's root, or give --rules") from error
    blocks = former.rules(reading.yaml_document(text, str(path), GateError))
    if not isinstance(blocks, Mapping) or not blocks:
        return {former.DATA["name"]: rules.parse(blocks, str(path))}  # which refuses it
    return {
        str(data): rules.parse(block, f"{path}, {data}" if len(blocks) > 1 else str(path))
        for data, block in blocks.items()
    }


def of(data: str, blocks: Mapping[str, Any], path: Path) -> Any:
    """Picks a data set's rules. Raises GateError where there are none."""
    if data not in blocks:
        raise GateError(f"{path}: has no rules for {data}; has {', '.join(blocks)}; add a block `{data}:`")
    return blocks[data]
