"""What tests take of this repository where a person's use of it must not matter: as the last commit holds it.

A tree in use has other params, results and settings than its commit; its code is what the tests are of.
"""

import shutil
from contextlib import suppress
from pathlib import Path, PurePosixPath

from mnistgan import families
from mnistgan.datasets import contract
from mnistgan.errors import GitError, ParamsError
from mnistgan.families import recipes_file
from mnistgan.params import Params, parse
from pipeline import ROOT
from pipeline.dvcfiles import git

USED = ("params.yaml", "recipes", "gate.yaml", "dvc.lock", "metrics", "plots", ".dvc/config")
"""What people and commands change without changing code."""
CODE = (
    "Makefile",
    "scripts",
    "pipeline",
    "src",
    "datasets",
    "pretrained",
    "dvc.yaml",
    "requirements.lock",
    "requirements-dev.lock",
    "params.yaml",
    "recipes",
)
SETTINGS = (".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore")
_GIT = ("-c", "safe.directory=*")  # the person's own settings, without which the tests run, may be what allows it


def content(name: str) -> bytes:
    """A file as the last commit holds it; as it lies here, where git can't be asked."""
    found = _asked("show", f"HEAD:./{name}")
    return (ROOT / name).read_bytes() if found is None else found


def text(name: str) -> str:
    """The same, as UTF-8."""
    return content(name).decode("utf-8")


def params() -> str:
    """params.yaml of the last commit; that of the tree where the code here takes no longer what was committed."""
    return _params()[0]


def recipes() -> dict[str, str]:
    """The texts of recipes/FAMILY.yaml, by family, of the same."""
    return _params()[1]


def _params() -> tuple[str, dict[str, str]]:
    names = [recipes_file(family) for family in families.names()]
    with suppress(ParamsError, OSError):
        found = text("params.yaml"), {Path(name).stem: text(name) for name in names}
        parse(*found, datasets(), "params.yaml")
        return found
    there = {Path(name).stem: (ROOT / name).read_text("utf-8") for name in names if (ROOT / name).is_file()}
    return (ROOT / "params.yaml").read_text("utf-8"), there


def parsed() -> Params:
    """These, as the code here takes them."""
    return parse(*_params(), datasets(), "params.yaml")


def datasets() -> dict[str, str]:
    """The texts of datasets/NAME/dataset.yaml, by name, of the tree: code reads no older ones."""
    return {name: (ROOT / contract.file_of(name)).read_text("utf-8") for name in contract.names(ROOT)}


def lay_out_params(folder: Path, params: str = "", **changed: str) -> None:
    """Write params.yaml and recipes/FAMILY.yaml, or these texts in their place, and the data sets' files."""
    (folder / "recipes").mkdir(exist_ok=True)
    for name, held in datasets().items():
        (folder / contract.file_of(name)).parent.mkdir(parents=True, exist_ok=True)
        (folder / contract.file_of(name)).write_text(held, "utf-8")
    (folder / "params.yaml").write_text(params or _params()[0], "utf-8")
    for family, text in {**recipes(), **changed}.items():
        (folder / recipes_file(family)).write_text(text, "utf-8")


def lay_out_sources(folder: Path, *sources: str) -> None:
    """Write datasets/mnist/dataset.yaml with these sources alone."""
    path = folder / contract.file_of("mnist")
    head, _, _ = path.read_text("utf-8").partition("sources:\n")
    path.write_text(head + "sources:\n" + "".join(f"  - {source}\n" for source in sources), "utf-8")


def lay_out(folder: Path, *parts: str) -> None:
    """Copy parts of this repository: code as it is in the tree, what is used as the last commit holds it."""
    for name in _listed("ls-files", "--cached", "--others", "--exclude-standard", parts=parts):
        if (ROOT / name).is_file() and not _is_within(name, USED):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in _listed("ls-tree", "-r", "--name-only", "HEAD", parts=parts):
        if _is_within(name, USED):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content(name))
    for name, taken in {
        "params.yaml": params(),
        **{recipes_file(key): held for key, held in recipes().items()},
    }.items():
        if _is_within(name, parts):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(taken, "utf-8")


def _listed(*command: str, parts: tuple[str, ...]) -> list[str]:
    """The files that git lists in these parts; those that lie there, where git can't be asked."""
    listed = _asked(*command, "-z", "--", *parts)
    if listed is not None:
        return listed.decode().split("\0")[:-1]
    places = [ROOT / part for part in parts]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]
    return [file.relative_to(ROOT).as_posix() for file in files if not {".git", ".venv", "__pycache__"} & {*file.parts}]


def _asked(*words: str) -> bytes | None:
    """What git prints of this repository; None where it can't be asked."""
    try:
        return git.ask(*_GIT, *words, folder=ROOT)
    except GitError:
        return None


def _is_within(name: str, places: tuple[str, ...]) -> bool:
    return any(PurePosixPath(name).is_relative_to(place) for place in places)
