"""What is done around a stage at work: prepares take turns."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.dvcfiles import dvc_yaml
from pipeline.runs import journal
from pipeline.tracking import observing
from tests.pipeline.fabricated import Workspace


@pytest.fixture
def words(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What dvc.yaml calls the prepare stage with; this process is called so."""
    options = dvc_yaml.options("prepare").items()
    words = ["prepare", *(word for name, value in options for word in (f"--{name}", str(value)))]
    monkeypatch.setattr(sys, "argv", ["pipeline", *words])
    return words


def test_of_two_prepares_at_once_the_second_says_so_and_goes_on_when_the_first_has_ended(words: list[str]) -> None:
    script = "from pipeline.tracking import observing\nwith observing.observed('prepare'): print('at work')"
    with ExitStack() as first:
        first.enter_context(observing.observed("prepare"))
        command = [sys.executable, "-c", script, *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "another prepare is at work here; waits for it\n"
            assert second.poll() is None
            first.close()
            assert second.communicate() == ("at work\n", "")
    assert second.returncode == 0


def test_where_nothing_can_be_locked_a_prepare_works_all_the_same(
    workspace: Workspace, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace.root / journal.FOLDER).write_text("a file where the folder should be")
    with observing.observed("prepare"):
        Path("data/train.npz").write_bytes(b"made")
    assert Path("data/train.npz").read_bytes() == b"made"
    assert "goes unrecorded" in capsys.readouterr().err
