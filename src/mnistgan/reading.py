"""Reads files, YAML and JSON within bounds, so that no input can stall a command or fill a screen.

A file is plain, since a pipe or a device may have no end, and of a size that belongs there. A document is nested no
deeper, and with its aliases written out no longer, than people write. What is read is never changed by this.
"""

import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, MaxDepthExceededError
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from mnistgan.errors import FormatError, MnistganError

MOST_TEXT = 10_000_000  # bytes of a table or a JSON file; the largest here has 32 KB
MOST_YAML = 250_000  # characters; the largest here has 10,000
MOST_NODES = 10_000  # of a YAML text, its keys counted: room for 200 recipes, which take the parser 2 s
MOST_LEVELS = 50
MOST_DIGITS = 1000  # of a number; Python itself refuses to show one of more than 4,300
_TOO_DEEP = f"nested deeper than {MOST_LEVELS} levels"

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def demand_plain(path: Path, refusal: type[MnistganError] = FormatError) -> None:
    """Raises ``refusal`` where ``path`` is a folder, a pipe, a socket or a device; OSError as ``stat`` does."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise refusal(f"{path}: can't be read: is {_KINDS.get(stat.S_IFMT(mode), 'of no known kind')}, no plain file")


def content(path: Path, most: int = MOST_TEXT, refusal: type[MnistganError] = FormatError) -> bytes:
    """Reads a plain file's bytes. Raises ``refusal`` where it is none or larger than ``most``; OSError as ``open``."""
    demand_plain(path, refusal)
    with path.open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise refusal(f"{path}: larger than the {most:,} bytes that belong in it")
    return found


def text(path: Path, refusal: type[MnistganError] = FormatError) -> str:
    """Reads the text of a plain file. Raises FileNotFoundError where it is missing, else ``refusal``."""
    try:
        return content(path, refusal=refusal).decode("utf-8")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refusal(f"{path}: can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise refusal(f"{path}: can't be read as UTF-8 text: {error}") from error


def decoded(content: bytes, name: str) -> str:
    """Decodes a file's bytes; ``name`` stands in messages. Raises FormatError where they are too many or no text."""
    if len(content) > MOST_TEXT:
        raise FormatError(f"{name}: larger than the {MOST_TEXT:,} bytes that belong in it")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{name}: not UTF-8 text: {error}") from error


def json_document(content: str | bytes, name: str) -> Any:
    """Parses JSON text. Raises FormatError where it is none, too large, nested too deep, or has too long a number."""
    try:
        if len(content) > MOST_TEXT:
            raise ValueError(f"larger than the {MOST_TEXT:,} bytes that are taken")
        document = json.loads(content, parse_int=_integer)
        _demand_shallow(document, MOST_LEVELS)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: not JSON that can be read: {error}") from error
    return document


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits; {MOST_DIGITS:,} are taken")
    return int(digits)


def _demand_shallow(value: Any, levels: int) -> None:
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not levels and inner:
        raise ValueError(_TOO_DEEP)
    for each in inner:
        _demand_shallow(each, levels - 1)


def yaml_document(text: str, name: str, refusal: type[MnistganError] = FormatError) -> Any:
    """Parses YAML 1.2 text; ``name`` stands in messages.

    Raises ``refusal``, with the line where there is one, where it is no YAML, names a key twice, is too large or,
    with every alias written out, would be, is nested too deep, or has a number of too many digits.
    """
    if len(text) > MOST_YAML:
        raise refusal(f"{name}: {len(text):,} characters; takes {MOST_YAML:,} at most")
    try:
        return deepcopy(_parsed(text))
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        problem = str(error.problem).split(" with value")[0]
        raise refusal(f"{name}, line {line}: {problem}; keep one of the two") from error
    except MaxDepthExceededError as error:
        raise refusal(f"{name}, line {error.problem_mark.line + 1}: {_TOO_DEEP}") from error
    except _TooMuchError as error:
        raise refusal(f"{name}, line {error.problem_mark.line + 1}: {error.problem}") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else "?"
        raise refusal(f"{name}, line {line}: not YAML: {error.problem or error.context}") from error
    except (YAMLError, ValueError) as error:
        raise refusal(f"{name}: not YAML: {error}") from error
    except Exception as error:  # the parser's own, on `!!bool maybe`, or an escape past Unicode
        raise refusal(f"{name}: not YAML that can be read: {error!r}") from error


@lru_cache(
    maxsize=64
)  # `seeds train` reads the dvc.lock, params.yaml and recipes of every experiment, and does so again
def _parsed(text: str) -> Any:
    """Parses a text once: a command reads params.yaml and dvc.yaml for several of its parts, and parsing is slow."""
    reader = YAML(typ="safe", pure=True)
    reader.Composer = _Counting
    reader.max_depth = MOST_LEVELS
    tree = reader.compose(text)
    if tree is None:
        return None
    _Sizes().of(tree)
    return reader.constructor.construct_document(tree)


def flatten(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Flattens nested mappings and lists to their leaves, named by dotted path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from flatten(inner, f"{name}.{index}")
    else:
        yield name, value


class _TooMuchError(MarkedYAMLError):
    """A YAML text exceeds a bound."""

    def __init__(self, problem: str, node: Any):
        super().__init__(problem=problem, problem_mark=node.start_mark)


class _Counting(Composer):
    """A YAML composer that stops at one node too many, before it is put into the tree.

    ``max_depth``, ``warn_double_anchors``, ``compose_node`` and ``parser`` are as ruamel.yaml 0.19.1 has them.
    """

    def __init__(self, loader: Any = None):
        super().__init__(loader)
        self.warn_double_anchors = False  # YAML allows them
        self._nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _TooMuchError(f"more than {MOST_NODES:,} keys and values", self.parser.peek_event())
        return super().compose_node(parent, index)


class _Sizes:
    """Measures the parts of a YAML tree with their aliases written out. An alias is the very node that it names."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def of(self, node: Any, levels: int = MOST_LEVELS) -> int:
        """Counts a node's characters. Raises _TooMuchError where these, a number in it or its levels are too many."""
        if id(node) in self._known:
            return self._known[id(node)]
        if not levels:  # which an alias within what it names comes to
            raise _TooMuchError(_TOO_DEEP, node)
        if isinstance(node.value, str):
            size = len(node.value)
            if size > MOST_DIGITS and not node.tag.endswith(":str"):
                raise _TooMuchError(f"a number of {size:,} digits; {MOST_DIGITS:,} are taken", node)
        else:
            inner = (each for item in node.value for each in (item if isinstance(item, tuple) else (item,)))
            size = sum(self.of(each, levels - 1) + 1 for each in inner)
        if size > MOST_YAML:
            raise _TooMuchError(f"its aliases make more than {MOST_YAML:,} characters of it", node)
        self._known[id(node)] = size
        return size
