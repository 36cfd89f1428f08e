"""Mends what a kill may have torn of DVC's own files, and names the stages still at work here."""

import re
from pathlib import Path

from mnistgan import reading
from mnistgan.errors import FormatError, UsageError
from pipeline import console
from pipeline.dvcfiles import dvc_lock, git, layout, rwlock
from pipeline.runs import journal
from pipeline.runs.journal import Kind

TORN = Path("dvc.lock.torn")
_CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


def repair() -> None:
    """Mends files of DVC that a kill left torn; what is whole stays as it is.

    Raises UsageError where a stage or a DVC is at work in this folder, or dvc.lock holds both sides of a merge.
    """
    _refuse_beside_others()
    rwlock.refuse_beside_dvc()
    mended = [said for said in (rwlock.mend(), _mend_lock()) if said]
    for said in mended:
        console.warn(said)
    if not mended:
        console.summary("nothing to mend: DVC's record and locks are whole")


def at_work(workspace: Path) -> list[tuple[str, int]]:
    """Lists the stages that run in a folder now, with their process ids: their journals are locked while they live."""
    found = []
    for path in sorted((layout.main_root() / journal.FOLDER).glob("*.jsonl")):
        starts = [event for event in journal.read(path) if event.kind is Kind.START]
        if not starts or not journal.is_live(path):
            continue
        last = starts[-1]
        code, pid = Path(str(last.facts.get("code"))), last.facts.get("pid")
        if isinstance(pid, int) and rwlock.lives(pid) and code.is_relative_to(workspace.resolve()):
            found.append((last.stage, pid))
    # An experiment of the queue has a folder of its own below .dvc/tmp, and so disturbs nothing here.
    return found


def _refuse_beside_others() -> None:
    working = at_work(Path("src"))
    if not working:
        return
    names = ", ".join(f"{stage} (pid {pid})" for stage, pid in working)
    masters = rwlock.live_dvc()
    started = f"started by dvc (pid {masters[0]})" if masters else "left by a dvc that is gone"
    pids = " ".join(str(pid) for _, pid in working)
    raise UsageError(
        f"{names} is at work in this folder, {started}; wait for it, or end it by `kill {pids}`: training saves first"
    )


def _mend_lock() -> str | None:
    try:
        content = reading.content(layout.LOCK)
    except FileNotFoundError:
        return None
    text = content.decode("utf-8", "replace")
    if _CONFLICT.search(text):
        raise UsageError(
            f"{layout.LOCK}: holds both sides of a merge; take one by `git checkout --ours {layout.LOCK}` "
            "(or --theirs), then `make repro`"
        )
    if _is_record(text):
        return None
    from mnistgan.files import write_bytes

    committed = git.blob("HEAD", layout.LOCK)  # where git can't be asked, the torn one stays
    write_bytes(TORN, content)
    if committed is None or not _is_record(committed.decode("utf-8", "replace")):
        layout.LOCK.unlink()
        return f"{layout.LOCK}: was torn, and the last commit has no whole one; moved to {TORN}"
    write_bytes(layout.LOCK, committed)
    return f"{layout.LOCK}: was torn, as a kill leaves it; put back as committed, the torn one is {TORN}"


def _is_record(text: str) -> bool:
    """Whether this is a dvc.lock, whole as far as its text can tell."""
    try:
        dvc_lock.parts_of(text)
    except FormatError:
        return False
    return True
