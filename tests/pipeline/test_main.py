"""The way out of every command: what is printed arrives or goes nowhere, and the exit code is a verdict or none."""

import errno
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from mnistgan.errors import DataError
from pipeline import ROOT, __main__, console
from tests.comparison.made_up import write

Run = Callable[..., subprocess.CompletedProcess[str]]
ENCODINGS = ["iso-8859-1:strict", "utf-8:strict"]


@pytest.fixture
def judged(tmp_path: Path) -> Run:
    """Runs `gate` on a result that passes, by a shell that does with its streams as it is told."""
    head, base, rules = write(tmp_path / "head.json"), write(tmp_path / "base.json"), tmp_path / "gate.yaml"
    rules.write_text("fid: no worse than base by more than 25%\n")
    words = [sys.executable, "-m", "pipeline", "gate", f"--head={head}", f"--base={base}", f"--rules={rules}"]

    def run(streams: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-c", f"set -o pipefail; {shlex.join(words)} {streams}"]
        env = {**os.environ, "PYTHONUTF8": "0", **environment}
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, encoding="latin-1", check=False)

    return run


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_an_encoding_lacks_is_printed_in_plain_characters(judged: Run, encoding: str) -> None:
    done = judged(PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("gate passed: 1 passed of 1 rules")
    assert ("\u2192".encode().decode("latin-1") if "utf-8" in encoding else "->") in done.stdout


def test_a_locale_without_an_encoding_of_its_own_is_taken_too(judged: Run) -> None:
    done = judged(LC_ALL="C", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "->" in done.stdout


@pytest.mark.parametrize("streams", ["2>&1 | head -n 1", "| true", "2>&-", "<&- >&- 2>&-"])
def test_a_reader_that_leaves_and_a_stream_that_is_closed_change_no_verdict(judged: Run, streams: str) -> None:
    passed = judged(streams)
    assert (passed.returncode, passed.stderr) == (0, "")
    assert passed.stdout == "" or passed.stdout.startswith("gate passed: 1 passed of 1 rules")


@pytest.mark.parametrize(
    "command", ["check --repair", "verify", "trace HEAD", "diff HEAD workspace", "check", "sync", "seeds train"]
)
def test_below_its_repositorys_root_a_command_does_nothing_and_says_where_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    root = tmp_path / "a b"
    (root / ".dvc").mkdir(parents=True)
    (root / "metrics").mkdir()
    (root / "dvc.yaml").touch()
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(root / "metrics")
    monkeypatch.setattr(sys, "argv", ["pipeline", *command.split()])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"error: run it from the repository's root: `cd '{root}'`\n")
    assert not list(Path().iterdir())
    monkeypatch.setattr(sys, "argv", ["pipeline", command.split()[0], "--help"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert not ended.value.code


def test_a_character_that_has_no_plain_one_is_told_by_its_number() -> None:
    error = UnicodeEncodeError("ascii", "a→😀\udcff", 1, 4, "no such character")
    assert console._plainly(error) == ("->\\U0001f600\\udcff", 4)


def failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a command in which ``error`` comes up."""
    app = typer.Typer()

    @app.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(__main__, "app", app)
    monkeypatch.setattr(sys, "argv", ["pipeline"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    "error",
    [
        KeyError("prior"),
        EOFError("no data left"),
        RecursionError("too deep"),
        OSError(errno.EINVAL, "Invalid argument"),
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        ModuleNotFoundError("No module named 'mnistgan.gone'", name="mnistgan.gone"),
        UnicodeEncodeError("ascii", "→", 0, 1, "ordinal not in range(128)"),
    ],
)
def test_what_nobody_foresaw_is_a_bug_and_no_verdict(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(error, monkeypatch) == 70
    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert f"error: a bug in this program, not in what it was given (please report it): {type(error).__name__}" in told


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (DataError("torn"), 2, "error: torn\n"),
        (OSError(errno.ENOSPC, "No space left", "here"), 2, "error: here: can't be read or written: No space left\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(3), 3, ""),
    ],
)
def test_what_was_foreseen_keeps_its_exit_code(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(error, monkeypatch) == code
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("words", [["chek"], ["gate", "--bas=HEAD"], []])
def test_a_command_that_there_is_not_is_bad_use(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pipeline", *words])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 2


def test_who_types_a_former_name_is_told_the_present_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["pipeline", "rulers", "--dataset", "kmnist"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "error: `rulers` is now `python -m pipeline dataset rulers`\n")


def test_a_python_without_the_libraries_is_told_which_environment_is_meant() -> None:
    bare = [sys.executable, "-S", "-m", "pipeline", "check"]
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: No module named 'typer': ")
    assert "`make venv` makes it" in done.stderr
    assert "Traceback" not in done.stderr
