"""What `make services` starts is ended, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import services

IDLE = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which services are started, none of them yet."""
    made = tmp_path / "services"
    made.mkdir()
    (made / services.RECORD).write_text("{}")
    return made


def test_what_was_started_is_ended_but_no_process_that_has_its_number_by_now(folder: Path) -> None:
    started = services._launch(folder, "idle", IDLE, lambda: True)
    with subprocess.Popen(IDLE) as other:
        record = {**services._recorded(folder), "ended": [other.pid, 0.0]}
        (folder / services.RECORD).write_text(json.dumps(record))
        services.stop(folder)
        assert other.poll() is None
        other.kill()
    started.wait(0)  # was waited for
    assert not folder.exists()


def test_a_service_that_ends_by_itself_is_told_by_the_end_of_its_log(folder: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('the port is taken')"]
    with pytest.raises(services.ServicesError, match=r"store does not answer.*\nthe port is taken"):
        services._launch(folder, "store", command, lambda: False)


def test_a_folder_that_no_service_was_started_in_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").write_text("")
    services.stop(tmp_path)
    assert services.main(["start", "--folder", str(tmp_path)]) == 2
    assert "services may run already" in capsys.readouterr().err
    assert (tmp_path / "kept").exists()
