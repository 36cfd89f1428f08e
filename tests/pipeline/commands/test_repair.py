"""What a kill leaves torn of DVC's files is mended, and who is still at work is named."""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnistgan.errors import UsageError
from pipeline.dvcfiles import dvc_lock, layout
from pipeline.dvcfiles.rwlock import RWLOCK
from pipeline.runs import journal
from pipeline.runs.repairing import TORN, repair
from tests import committed

ROOT = Path(__file__).resolve().parents[3]
GONE = 2**22 + 1  # above what Linux gives
KILLER = "killer"  # where there is such a file, the first stage kills its dvc as the last thing it does


def git(*arguments: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two quick stages that each write down that they ran; the current folder."""
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    (tmp_path / "params.yaml").write_text("number: 1\n")
    write = 'python -c "open(\\"ran\\", \\"a\\").write(\\"{0} \\"); open(\\"{1}\\", \\"w\\").write(\\"made\\")"'
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        f"  one:\n    cmd: '{write.format('one', 'first')} && if rm {KILLER}; then kill -9 $PPID; fi'\n"
        "    params: [number]\n    outs: [first]\n"
        f"  two:\n    cmd: '{write.format('two', 'second')}'\n    deps: [first]\n    outs: [second]\n"
    )
    (tmp_path / ".gitignore").write_text("ran\nkiller\nfirst\nsecond\njournal\ndvc.lock.torn\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


@pytest.fixture
def made(here: Path) -> Path:
    """That repository with DVC's own record of a run, committed, and of another one after it."""
    git("init", "-q", "-b", "main")
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "-f"], check=True)
    dvc_repro()
    git("add", "-A")
    git("commit", "-q", "-m", "made")
    Path("params.yaml").write_text("number: 2\n")
    dvc_repro()
    return here


def dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)


def environment() -> dict[str, str]:
    """That in which a stage's ``python`` is this one."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def dvc_repro() -> None:
    done = dvc("repro")
    assert done.returncode == 0, done.stderr


@contextmanager
def process(name: str, script: str = "print('there', flush=True); input()") -> Iterator[int]:
    """The id of a process that lives for the block, with ``name`` on its command line."""
    with subprocess.Popen([sys.executable, "-c", script, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.kill()


def test_what_is_whole_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout.LOCK.write_text("schema: '2.0'\nstages: {}\n")
    repair()
    assert "nothing to mend" in capsys.readouterr().out
    assert layout.LOCK.read_text() == "schema: '2.0'\nstages: {}\n"


@pytest.mark.parametrize("torn", ["", '{"read": {"', '{"write": {"/a": {"pid"', "[]", '{"write": {"/a": 1}}'])
def test_a_torn_rwlock_is_removed(here: Path, torn: str, capsys: pytest.CaptureFixture[str]) -> None:
    RWLOCK.write_text(torn)
    repair()
    assert not RWLOCK.exists()
    assert "was torn" in capsys.readouterr().err


def test_a_torn_rwlock_of_a_living_dvc_is_not_touched(here: Path) -> None:
    with process("dvc") as pid:
        RWLOCK.write_text(f'{{"write": {{"/a": {{"pid": {pid}, "cm')
        with pytest.raises(UsageError, match=rf"torn, while dvc \(pid {pid}\) is at work"):
            repair()
        assert RWLOCK.exists()


def test_entries_of_dead_processes_go_and_so_do_those_whose_id_another_program_was_given(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with process("dvc") as alive, process("another") as other:
        writers = {f"/{pid}": {"pid": pid, "cmd": "dvc repro"} for pid in (alive, other, GONE)}
        readers = {"/a": [*writers.values()], "/b": [writers[f"/{GONE}"]]}
        RWLOCK.write_text(json.dumps({"write": writers, "read": readers}))
        repair()
        left = json.loads(RWLOCK.read_text())
        assert left == {"write": {f"/{alive}": writers[f"/{alive}"]}, "read": {"/a": [writers[f"/{alive}"]]}}
        assert "processes that are gone" in capsys.readouterr().err
        repair()
    assert "nothing to mend" in capsys.readouterr().out


def test_a_torn_rwlock_fails_dvc_and_a_mended_one_does_not(made: Path) -> None:
    RWLOCK.write_text('{"read": {')
    Path("params.yaml").write_text("number: 3\n")
    with pytest.raises(AssertionError, match="corrupted"):
        dvc_repro()
    repair()
    dvc_repro()


def test_a_torn_lock_is_put_back_as_committed_and_nothing_runs_again(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Path("ran").read_text()
    whole = layout.LOCK.read_text()
    torn = whole[: len(whole) // 2]
    layout.LOCK.write_text(torn[: torn.rindex("md5:") + 10])
    Path("second").unlink()
    repair()
    assert "put back as committed" in capsys.readouterr().err
    assert TORN.read_text() in whole
    dvc_repro()
    assert layout.LOCK.read_text() == whole
    assert Path("second").read_text() == "made"
    assert Path("ran").read_text() == ran


def test_killed_between_a_stages_end_and_its_record_the_next_run_ends_as_if_never_killed(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("params.yaml").write_text("number: 3\n")
    before = layout.LOCK.read_text()
    Path(KILLER).touch()
    assert dvc("repro").returncode == -9
    assert Path("first").read_text() == "made"
    assert layout.LOCK.read_text() == before
    assert json.loads(RWLOCK.read_text())["write"]
    repair()
    assert "processes that are gone" in capsys.readouterr().err
    dvc_repro()
    assert layout.LOCK.read_text() == before.replace("number: 2", "number: 3")
    assert Path("first").read_text() == Path("second").read_text() == "made"


@pytest.mark.parametrize("share", [0.02, 0.35, 0.6, 0.8, 0.97])
def test_wherever_a_lock_is_cut_it_is_mended_or_still_a_record(here: Path, share: float) -> None:
    whole = committed.text("dvc.lock")
    layout.LOCK.write_text(whole[: int(len(whole) * share)])
    repair()
    if layout.LOCK.exists():
        parts = dvc_lock.parts_of(layout.LOCK.read_text())
        assert parts.keys() <= dvc_lock.parts_of(whole).keys()
    else:
        assert TORN.exists()


def test_a_torn_lock_that_no_commit_has_is_moved_aside(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout.LOCK.write_bytes(b"stages:\n  one: \xff\xfe")
    repair()
    assert not layout.LOCK.exists()
    assert TORN.exists()
    assert "the last commit has no whole one" in capsys.readouterr().err


def test_a_disk_that_refuses_is_one_message_and_changes_nothing(here: Path) -> None:
    layout.LOCK.write_text("torn: [")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "check", "--repair"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),  # no file may grow
    )
    assert done.returncode == 2
    assert re.fullmatch("error: .*: can't be read or written: File too large\n", done.stderr)
    assert layout.LOCK.read_text() == "torn: ["
    assert not list(Path().glob("*dvc.lock.torn*"))


def test_a_merge_is_not_taken_for_torn(here: Path) -> None:
    text = "<<<<<<< HEAD\nstages: {}\n=======\nstages: {a: 1}\n>>>>>>> other\n"
    layout.LOCK.write_text(text)
    with pytest.raises(UsageError, match=r"both sides of a merge.*git checkout --ours"):
        repair()
    assert layout.LOCK.read_text() == text


@contextmanager
def stage_at_work(root: Path, code: Path) -> Iterator[int]:
    """The id of a process that journals as a training whose code lies in ``code``."""
    script = (
        "import sys, pathlib; from pipeline.runs import journal; import mnistgan\n"
        "mnistgan.__file__ = sys.argv[2]\n"
        "with journal.recording(pathlib.Path(sys.argv[1]), 'train'):\n"
        "    print('at work', flush=True); sys.stdin.read()\n"
    )
    path = journal.path_of(root, "key")
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(code / "mnistgan" / "__init__.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.kill()


def test_an_orphan_that_a_killed_dvc_left_is_named_by_its_id_and_not_raced(here: Path) -> None:
    layout.LOCK.write_text("torn: [")
    with stage_at_work(here, here / "src") as pid:
        said = rf"train \(pid {pid}\) is at work in this folder, left by a dvc that is gone; .*`kill {pid}`"
        with pytest.raises(UsageError, match=said):
            repair()
        assert layout.LOCK.read_text() == "torn: ["
    repair()
    assert not layout.LOCK.exists()


def test_a_stage_of_a_dvc_that_lives_is_named_with_it(here: Path) -> None:
    with stage_at_work(here, here / "src"), process("dvc") as dvc:
        RWLOCK.write_text(json.dumps({"write": {"/a": {"pid": dvc, "cmd": "dvc repro"}}}))
        with pytest.raises(UsageError, match=rf"started by dvc \(pid {dvc}\)"):
            repair()


def test_a_dvc_that_is_busy_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.dvcfiles.rwlock.BUSY_SECONDS", 0.0)
    held = "import zc.lockfile; held = zc.lockfile.LockFile('.dvc/tmp/lock')"  # as DVC does it
    with process("dvc", f"{held}; print('there', flush=True); input()") as pid:
        said = rf"dvc \(pid {pid}\) is at work in this folder, and holds \.dvc/tmp/lock"
        with pytest.raises(UsageError, match=said):
            repair()
    repair()


def test_of_two_dvc_repro_at_once_one_works_and_the_other_says_who_does(here: Path) -> None:
    git("init", "-q", "-b", "main")
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "-f"], check=True)
    os.mkfifo("gate")
    pipeline = Path("dvc.yaml")
    pipeline.write_text(pipeline.read_text().replace("cmd: 'python", "cmd: 'read line < gate; python", 1))
    with subprocess.Popen([sys.executable, "-m", "dvc", "repro"], env=environment()) as first:
        with Path("gate").open("w") as gate:  # opens once the first stage waits at it
            second = dvc("repro")
            gate.write("go\n")
        assert second.returncode != 0
        assert f"(PID {first.pid})" in second.stderr
        assert first.wait() == 0
    assert Path("ran").read_text() == "one two "
    assert "up to date" in dvc("repro").stdout


def test_an_experiment_in_a_folder_of_its_own_is_in_nobodys_way(here: Path) -> None:
    with stage_at_work(here, here / ".dvc" / "tmp" / "exps" / "one" / "src"):
        repair()


def test_make_repro_mends_before_it_runs() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nrepro:")[1].split("\n.PHONY")[0]
    assert recipe.index("pipeline check --repair") < recipe.index("dvc repro")
