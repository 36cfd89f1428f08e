"""Asks git, by its own program, for every command here that needs history.

Git answers, or says no (there is no such revision or path, or no repository at all), or can't be asked: that is told in
its own words.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mnistgan.errors import GitError, UsageError
from pipeline.dvcfiles import dvc_yaml, experiment_refs
from pipeline.dvcfiles.layout import LOCK

_OF_A_HOOK = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "PREFIX", "COMMON_DIR", "OBJECT_DIRECTORY", "NAMESPACE", "SHALLOW_FILE"),
        *("ALTERNATE_OBJECT_DIRECTORIES", "QUARANTINE_PATH", "LITERAL_PATHSPECS", "GLOB_PATHSPECS"),
        *("NOGLOB_PATHSPECS", "ICASE_PATHSPECS"),
    )
)
"""Variables that point git at another place than the folder it is asked in."""
_PLAINLY = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_TRACE": "0"}
"""Messages in English, no question to a person, nobody's own work with git disturbed, nothing told besides."""
_SETTINGS = (
    *("log.showSignature=false", "i18n.logOutputEncoding=UTF-8", "core.quotePath=false", "color.ui=false"),
    *("status.showUntrackedFiles=normal", "diff.relative=false", "diff.submodule=short"),
)
"""A person's own settings that would change what is read here."""
_MENDS = {
    "promisor remote": "this clone is partial: be where its remote can be reached, or clone it whole",
    "is corrupt": "`git fsck` tells what else is; a fresh clone has it whole",
    "is empty": "`git fsck` tells what else is; a fresh clone has it whole",
    "not a git repository": "a .git is there: see whether it is whole, and who may read it",
    "ermission denied": "see who owns .git, and who may read it",
}
"""How to mend it, by what git says; of another owner's repository it says that itself."""
_OBJECT = re.compile(rb"(?P<id>[0-9a-f]+) (?P<type>[a-z]+) (?P<size>[0-9]+)")
_ALL_BRANCHES = "+refs/heads/*:refs/remotes/origin/*"


def run(
    *arguments: str,
    folder: Path = Path(),
    variables: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> bytes:
    """Runs a git command in ``folder``, with further environment ``variables``; returns what it prints.

    Raises GitError where it fails or takes longer than ``seconds``.
    """
    return _answer(_done(arguments, folder, variables=variables, seconds=seconds))


def ask(*arguments: str, folder: Path = Path(), told: bytes = b"") -> bytes | None:
    """Runs a git command with ``told`` on stdin; None where git says no by failing silently, or there is no repository.

    Raises GitError where git can't be asked.
    """
    if not is_repository(folder):
        return None
    done = _done(arguments, folder, told)
    return None if done.returncode and not done.stderr.strip() else _answer(done)


def line(*arguments: str, folder: Path = Path()) -> str:
    """Runs a git command; returns what it prints, stripped, as text; empty where git says no. Raises GitError."""
    return (ask(*arguments, folder=folder) or b"").decode("utf-8", "replace").strip()


def _done(
    arguments: Sequence[str],
    folder: Path,
    told: bytes = b"",
    variables: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> subprocess.CompletedProcess[bytes]:
    settings = (word for setting in _SETTINGS for word in ("-c", setting))
    try:
        return subprocess.run(  # noqa: S603 - a list of words, which no shell reads
            ["git", *settings, *arguments],  # noqa: S607 - the git that the person uses
            cwd=folder,
            env={**outside_hooks(), **_PLAINLY, **(variables or {})},
            input=told,
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except FileNotFoundError as error:
        raise GitError("git can't be asked: there is no such program on PATH; install git") from error
    except OSError as error:
        raise GitError(f"git can't be asked: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git can't be asked: `git {arguments[0]}` took longer than {seconds:g} s") from error


def _answer(done: subprocess.CompletedProcess[bytes]) -> bytes:
    said = " ".join(done.stderr.decode("utf-8", "replace").split())
    broken = "cat-file" in done.args and "error: " in said  # it ends with 0, and calls an object missing
    if done.returncode or broken:
        mends = [mend for words, mend in _MENDS.items() if words in said]
        raise GitError("; ".join([f"git can't be asked: {said or f'exit code {done.returncode}'}", *mends[:1]]))
    return done.stdout


def is_repository(folder: Path = Path()) -> bool:
    """Whether a folder lies in a repository, whether or not git can read it."""
    here = folder.resolve()
    return any(os.path.lexists(above / ".git") for above in (here, *here.parents))


def commit(name: str, folder: Path = Path()) -> str | None:
    """Finds the id of the commit that a revision means; None where it means none. Raises GitError."""
    found = ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", folder=folder)
    return None if found is None else found.decode().strip()


def find_commit(revision: str) -> str | None:
    """Finds the id of a commit, branch, tag or DVC experiment; None where there is no such thing.

    Raises UsageError where several experiments have this name, GitError where git can't be asked.
    """
    if found := commit(revision):
        return found
    refs = {ref: commit for name, commit, ref in experiments() if name == revision}
    if len(set(refs.values())) > 1:
        raise UsageError(f"{revision}: experiments of several commits have this name; give one of {', '.join(refs)}")
    return next(iter(refs.values()), None)


def experiments() -> list[tuple[str, str, str]]:
    """Lists DVC's experiments: name, commit and ref of each."""
    refs = (
        one.split(" ", 1)
        for one in line("for-each-ref", "--format=%(objectname) %(refname)", experiment_refs.EXPERIMENTS).splitlines()
    )
    return [(found, commit, ref) for commit, ref in refs if (found := experiment_refs.name_of(ref))]


def is_dirty(workspace: Path = Path()) -> bool | None:
    """Whether anything but dvc.lock and the stages' outs differs from the commit; None outside a git repository.

    Raises GitError.
    """
    changed = ask("status", "--porcelain", "--", ".", *outs_excluded(workspace), folder=workspace)
    return None if changed is None else bool(changed)


def outs_excluded(workspace: Path) -> list[str]:
    """Words for a git command that leave out dvc.lock and the stages' outs."""
    return [f":(exclude){path}" for path in (LOCK, *dvc_yaml.outs(workspace))]


def blobs(names: Iterable[str], folder: Path = Path()) -> list[tuple[str, bytes]]:
    """Reads the id and content of each file named ``REV:./PATH``; an empty id where there is none.

    Raises GitError.
    """
    asked = list(names)
    out = ask("cat-file", "--batch", folder=folder, told="".join(f"{name}\n" for name in asked).encode()) or b""
    found: list[tuple[str, bytes]] = []
    at = 0
    for _ in asked if out else ():
        end = out.index(b"\n", at)
        head = _OBJECT.fullmatch(out, at, end)
        at = end + 1
        size = int(head["size"]) + 1 if head else 0
        is_file = head is not None and head["type"] == b"blob"
        found.append((head["id"].decode(), out[at : at + size - 1]) if head and is_file else ("", b""))
        at += size
    return found or [("", b"")] * len(asked)


def blob(commit: str, path: Path, folder: Path = Path()) -> bytes | None:
    """Reads a file's content at a commit, by its path from ``folder``; None where it has none. Raises GitError."""
    ((found, content),) = blobs([f"{commit}:./{path.as_posix()}"], folder)
    return content if found else None


def place() -> tuple[Path, Path]:
    """Finds the repository's own folder, and the path from there to this one. Raises GitError."""
    whole, _, here = os.fsdecode(run("rev-parse", "--show-toplevel", "--show-prefix")).partition("\n")
    return Path(whole), Path(here.removesuffix("\n"))


def check_out(commit: str, to: Path) -> Path:
    """Makes a clone of the repository at a commit, which shares its objects; returns the path of this folder in it.

    Raises GitError where it can't.
    """
    whole, here = place()
    run("clone", "--quiet", "--shared", "--no-checkout", str(whole.absolute()), str(to))
    run("checkout", "--quiet", "--detach", commit, folder=to)
    return to / here


def outside_hooks() -> dict[str, str]:
    """The environment without the variables that a git hook sets for its own repository."""
    return {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}


def how_to_fetch() -> str:
    """Names the command that brings what this clone may lack of its history. Raises GitError."""
    if not is_repository():
        return "no git repository is here: `git clone` has the history, an archive of the files has not"
    branches = ask("config", "--get-all", "remote.origin.fetch") or b""
    narrow = f" origin '{_ALL_BRANCHES}'" if branches and _ALL_BRANCHES.encode() not in branches else ""
    if is_shallow():
        return f"this clone is shallow: `git fetch --unshallow{narrow}` brings the rest of its history"
    return f"`git fetch{narrow or ' --all'}` brings what is missing"


def is_shallow(folder: Path = Path()) -> bool:
    """Whether a clone's history is cut off. Raises GitError."""
    return (ask("rev-parse", "--is-shallow-repository", folder=folder) or b"").strip() == b"true"


def is_partial(folder: Path = Path()) -> bool:
    """Whether files of the last commit or before were left at the remote (``clone --filter``). Raises GitError."""
    if not ask("config", "--get-regexp", r"^remote\..*\.promisor$", folder=folder):
        return False
    listed = ask("rev-list", "--objects", "--missing=print", "HEAD", folder=folder) or b""
    return any(line.startswith(b"?") for line in listed.splitlines())
