"""The private parts of DVC that are relied on are as they were seen; where DVC is another, each is to be looked at."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest

from mnistgan import reading
from pipeline import ROOT
from pipeline.dvcfiles import cache, dvc_lock, experiment_refs, remote_folder, rwlock
from pipeline.engines import dvc_queue, overriding

MODULES = (cache, experiment_refs, remote_folder, rwlock, dvc_queue, overriding)
PUBLIC = {"dvc.api", "dvc.exceptions", "dvc.repo", "dvc.scm"}
"""What may be imported of DVC anywhere: its own API, what that raises, and the repository that opens all else."""
PLACES = re.compile(r"\.dvc/|refs/exps|rwlock\.lock|files/md5|dvc-exp-worker")
"""Names that DVC has for files and refs of its own."""


def private_parts(path: Path) -> Iterator[str]:
    """What a file of ours takes of DVC beside what is public: imports, and names of its files and refs."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if re.match(r"dvc[._]", alias.name))
        elif isinstance(node, ast.ImportFrom) and re.match(r"(dvc|dvc_\w+)(\.|$)", node.module or ""):
            yield node.module or ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (found[0] for found in PLACES.finditer(node.value) if " " not in node.value)


def test_private_parts_of_dvc_are_named_in_the_modules_that_say_where_they_were_seen_alone() -> None:
    seen = {Path(module.__file__) for module in MODULES}
    others = {path for folder in ("pipeline", "src", "scripts") for path in (ROOT / folder).rglob("*.py")} - seen
    found = {str(path.relative_to(ROOT)): {*private_parts(path)} - PUBLIC for path in sorted(others)}
    assert {path: parts for path, parts in found.items() if parts} == {}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_dvc_is_the_one_whose_private_parts_were_seen(module) -> None:
    installed = metadata.version("dvc").rpartition(".")[0]
    assert installed == module.SEEN_IN, f"see that {module.__name__} still reads DVC {installed} rightly, then SEEN_IN"


def test_the_locks_of_dvc_are_called_so() -> None:
    from dvc import rwlock as of_dvc

    assert (rwlock.RWLOCK.name, rwlock.GUARD.name) == (of_dvc.RWLOCK_FILE, of_dvc.RWLOCK_LOCK)


def test_the_queue_of_dvc_has_what_is_read_of_it() -> None:
    from dvc.repo.experiments import Experiments
    from dvc.repo.experiments.queue.base import QueueEntry
    from dvc.repo.experiments.queue.celery import LocalCeleryQueue
    from dvc_task.proc.process import ProcessInfo

    assert hasattr(Experiments, "celery_queue")
    assert {"iter_queued", "iter_active", "iter_failed", "proc", "wdir"} <= set(dir(LocalCeleryQueue))
    assert {"name", "stash_rev"} <= QueueEntry.__dataclass_fields__.keys()
    assert {"pid", "stdout"} <= ProcessInfo.__dataclass_fields__.keys()


def test_the_cache_of_dvc_is_laid_out_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.repo import Repo

    for level in ("SYSTEM", "GLOBAL"):
        monkeypatch.setenv(f"DVC_{level}_CONFIG_DIR", str(tmp_path / level))
    (tmp_path / "a").write_text("made")
    (tmp_path / "dvc.yaml").write_text("stages: {one: {cmd: cp a b, deps: [a], outs: [b]}}")
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        monkeypatch.chdir(tmp_path)
        repo.reproduce()
    [out] = (found for part in dvc_lock.parts_of(dvc_lock.read()).values() for found in part.outs.values())
    assert cache.place(out).read_text() == "made"
    [run] = cache.runs()
    assert reading.yaml_document(run, "run") == reading.yaml_document(dvc_lock.read(), "lock")["stages"]["one"]


def test_the_refs_of_dvc_are_those_that_are_told_from_experiments() -> None:
    from dvc.repo.experiments import refs

    assert refs.EXPS_NAMESPACE == experiment_refs.EXPERIMENTS
    ref = str(refs.ExpRefInfo(baseline_sha="ab" * 20, name="idled-suit"))
    assert (experiment_refs.name_of(ref), experiment_refs.ref_of("ab" * 20, "idled-suit")) == ("idled-suit", ref)
    own = [value for name, value in vars(refs).items() if name.isupper() and str(value).startswith("refs/exps/")]
    inner = {ref if ref.count("/") > 2 or ref == refs.EXPS_STASH else f"{ref}/any" for ref in own}
    assert {ref for ref in inner if not any(fnmatch(ref, pattern) for pattern in experiment_refs.NO_RESULTS)} == set()
