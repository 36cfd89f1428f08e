"""Reads who imports whom in src/ and pipeline/, and the map of the house in CONTRIBUTING.md that says who may.

``python -m tests.imports`` prints it, room by room, and a circle if there is one.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {"mnistgan": ROOT / "src" / "mnistgan", "pipeline": ROOT / "pipeline"}
EVERYWHERE = ("errors", "progress", "reading", "schema", "files")
"""Files of the science that all may import."""
_ROW = re.compile(r"^\| `([^`|]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Room:
    """A row of the map: what lies in a folder or file, and what it may import beside EVERYWHERE and itself."""

    job: str
    entries: tuple[str, ...]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def runs_only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every node under ``node``, those that only a type checker sees left out."""
    for child in ast.iter_child_nodes(node):
        if not runs_only_for_types(child):
            yield child
            yield from statements(child)


@cache
def imported(path: Path) -> set[str]:
    """The dotted names that a file imports, wherever in it: ``from a import b`` gives both a and a.b."""
    package = relative(path).removeprefix("src/").removesuffix(".py").split("/")[:-1]
    names: set[str] = set()
    for node in statements(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports_of_top_level(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


@cache
def named_by(path: Path) -> set[Path]:
    """The files of ours that a file's imports name, lazy ones too: of a package the part that is meant."""
    names = imported(path)
    meant = {name for name in names if not any(other.startswith(f"{name}.") and _file(other) for other in names)}
    return {file for name in meant if (file := _file(name))} - {path}


def _file(name: str) -> Path | None:
    """The file of a module, or a package's __init__; of a name within one None."""
    first, *rest = name.split(".")
    place = SOURCES[first].joinpath(*rest) if first in SOURCES else Path()
    if first in SOURCES and rest and place.with_suffix(".py").is_file():
        return place.with_suffix(".py")
    return place / "__init__.py" if first in SOURCES and (place / "__init__.py").is_file() else None


def name_of(path: Path) -> str:
    """A file as the map calls it: ``nn/adam`` of the science, ``pipeline/runs/keys``."""
    return relative(path).removeprefix("src/mnistgan/").removesuffix(".py")


def is_within(name: str, entry: str) -> bool:
    """Whether a file or folder is an entry of the map, or lies in it; ``families/*`` are the folders in families."""
    if entry.endswith("/*"):
        return name.count("/") >= 1 + entry.count("/") and name.startswith(entry[:-1])
    return name == entry or name.startswith(f"{entry}/")


def room_of(path: Path) -> str:
    """The row of the map that a file belongs to: the narrowest. Raises LookupError where it has none."""
    found = [room for room in ROOMS if any(is_within(name_of(path), entry) for entry in room.split(", "))]
    if not found:
        raise LookupError(f"{relative(path)}: CONTRIBUTING.md's map has no room for it")
    return max(found, key=lambda room: room.count("/"))


def may_import(importer: Path, target: Path) -> bool:
    """Whether the map lets a file import another."""
    room = room_of(importer)
    if room == room_of(target):  # of families each is a room of its own
        return not room.endswith("/*") or name_of(importer).split("/")[1] == name_of(target).split("/")[1]
    entries = (*EVERYWHERE, *ROOMS[room].entries)
    return "all above" in entries or any(is_within(name_of(target), entry) for entry in entries)


def beyond(imports: Mapping[Path, set[Path]]) -> list[str]:
    """Lists the imports that the map does not let be."""
    crossing = [(who, whom) for who, named in imports.items() for whom in sorted(named) if not may_import(who, whom)]
    return [f"{relative(who)} imports {relative(whom)}" for who, whom in crossing]


def circle(imports: Mapping[Path, set[Path]]) -> list[Path]:
    """Finds files that import each other in a circle, the first again at its end; empty where none do."""
    done: set[Path] = set()

    def walk(way: list[Path]) -> list[Path]:
        for target in sorted(imports.get(way[-1], set()) - done):
            found = [*way[way.index(target) :], target] if target in way else walk([*way, target])
            if found:
                return found
        done.add(way[-1])
        return []

    return next((found for start in sorted(imports) if start not in done and (found := walk([start]))), [])


def rooms(text: str) -> dict[str, Room]:
    """Reads the map: its rows by their names, in its order."""
    entries = re.compile(r"`([^`]+)`|(all above)")
    return {
        name: Room(job.strip(), tuple("".join(found) for found in entries.findall(may)))
        for name, job, may in _ROW.findall(text)
    }


ROOMS = rooms((ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Where things live")[2].partition("\n## ")[0])
TOPS = {folder / "__init__.py" for folder in SOURCES.values()}


@cache
def graph() -> dict[Path, set[Path]]:
    """The imports of every file, by file; the two packages that hold all are left out."""
    return {path: named_by(path) - TOPS for folder in SOURCES.values() for path in {*python_files(folder)} - TOPS}


def main() -> None:
    """Prints what each room imports of which other."""
    for room in list(ROOMS)[1:]:
        targets = {room_of(whom) for who, named in graph().items() if room_of(who) == room for whom in named}
        print(f"{room:34} {', '.join(other for other in list(ROOMS)[1:] if other in targets - {room}) or '-'}")
    ring = circle(graph())
    print(f"\n{len(graph())} files;", " -> ".join(map(relative, ring)) if ring else "no circle")
    for line in beyond(graph()):
        print(f"beyond the map: {line}")


if __name__ == "__main__":
    main()
