"""Where checkpoints lie: one folder a training, locked, the older ones removed."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from mnistgan.errors import DataError, UsageError
from pipeline.runs import checkpoints, keys


@pytest.fixture
def keyed(tmp_path, monkeypatch):
    """Sets the key of the training state; the current folder is a repository of its own."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return lambda key: monkeypatch.setattr(keys, "train_key_of_workspace", lambda: key * 64)


def made(other=None, **params):
    with checkpoints.folder_of(other, {name.replace("_", "."): value for name, value in params.items()}) as folder:
        (folder / "step_000000001.npz").touch()
    return folder


def folders():
    return {path.name for path in Path("checkpoints").iterdir() if path.is_dir()}


def test_a_folder_bears_the_key_and_lies_under_the_repository(keyed, tmp_path):
    keyed("a")
    assert made() == tmp_path / "checkpoints" / ("a" * keys.SHORT)


def test_the_two_newest_trainings_are_kept_and_the_rest_removed_with_their_locks(keyed):
    for key in "abc":
        keyed(key)
        made()
    assert folders() == {"b" * keys.SHORT, "c" * keys.SHORT}
    assert not Path("checkpoints", f"{'a' * keys.SHORT}.lock").exists()


def test_more_epochs_for_a_finished_training_start_at_step_0_and_it_says_why(keyed, capsys):
    keyed("a")
    first = made(train_recipe="fast", recipe_epochs=9)
    made(train_recipe="fast", recipe_epochs=9)
    assert capsys.readouterr().err == ""
    keyed("b")
    made(train_recipe="fast", recipe_epochs=12)
    told = capsys.readouterr().err
    assert told.startswith(f"starts at step 0: the checkpoints in {first} are of another state of this recipe ")
    assert "(recipe.epochs 9 -> 12), and its schedule" in told
    keyed("c")
    made(train_recipe="best", recipe_epochs=30)
    assert capsys.readouterr().err == ""
    keyed("d")
    made(train_recipe="best", recipe_epochs=30)
    assert "(other data, code, libraries or settings)" in capsys.readouterr().err


def test_a_training_at_work_keeps_its_folder_however_old(keyed):
    keyed("a")
    with checkpoints.folder_of(None) as at_work:
        for key in "bcd":
            keyed(key)
            made()
        assert at_work.is_dir()
    assert len(folders()) == 3


def test_a_second_training_of_the_same_state_is_refused_while_the_first_runs(keyed):
    keyed("a")
    with FileLock(f"{made()}.lock"), pytest.raises(UsageError, match="another process is training"):
        made()


def test_what_dvc_yaml_does_not_declare_has_a_folder_of_its_own(keyed):
    keyed("a")
    declared, other = made(), made("b" * 64)
    assert declared != other
    assert made("b" * 64) == other


def test_the_refusal_names_the_process_that_holds_the_lock(keyed):
    keyed("a")
    with checkpoints.folder_of(None), pytest.raises(UsageError, match=rf"pid {os.getpid()} .*`kill {os.getpid()}`"):
        made()


def test_a_holder_that_was_killed_is_in_nobodys_way_and_a_torn_name_is_left_out(keyed):
    keyed("a")
    folder = made()
    assert not folder.with_name(f"{folder.name}.pid").exists()
    folder.with_name(f"{folder.name}.pid").write_text("")
    with FileLock(f"{folder}.lock"), pytest.raises(UsageError, match=r"very state \(.*\.lock\); wait for it"):
        made()
    made()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Goes to a machine's clone, by name; all clones have one remote, a folder."""
    monkeypatch.setattr(keys, "train_key_of_workspace", lambda: "a" * 64)
    monkeypatch.delenv("DVC_ROOT", raising=False)

    def go_to(name):
        dvc = tmp_path / name / ".dvc"
        dvc.mkdir(parents=True, exist_ok=True)
        (dvc / "config").write_text(
            f"[core]\n    no_scm = True\n    remote = shared\n['remote \"shared\"']\n    url = {tmp_path}/remote\n"
        )
        monkeypatch.chdir(tmp_path / name)

    return go_to


def save(step, epoch):
    folder = checkpoints.place()
    folder.mkdir(parents=True, exist_ok=True)
    for name in (f"step_{step:09d}.npz", f"grid_{epoch:06d}.npz", "params.json"):
        (folder / name).write_text(f"{name} of {step}" if "step" in name else name)


def names():
    return sorted(path.name for path in checkpoints.place().iterdir())


def test_checkpoints_go_by_the_remote_to_another_machine_the_newest_alone_and_never_over_a_later_one(machine):
    machine("one")
    save(10, 0)
    checkpoints.push()
    save(20, 1)
    assert checkpoints.push() == f"step_000000020.npz of {checkpoints.place().name} is in DVC's remote"
    machine("two")
    assert checkpoints.pull().startswith(f"step_000000020.npz is in {checkpoints.place()}")
    assert names() == ["grid_000000.npz", "grid_000001.npz", "params.json", "step_000000020.npz"]
    assert (checkpoints.place() / "step_000000020.npz").read_text() == "step_000000020.npz of 20"
    save(30, 2)
    assert "got as far" in checkpoints.pull()
    assert "step_000000030.npz" in names()


def test_what_is_not_there_to_be_pushed_or_pulled_is_said(machine, tmp_path):
    machine("one")
    with pytest.raises(UsageError, match="no checkpoint of this state, so there is nothing to push"):
        checkpoints.push()
    with pytest.raises(UsageError, match="DVC's remote has no checkpoint of this state"):
        checkpoints.pull()
    save(10, 0)
    (tmp_path / "remote").write_text("a file where the remote's folder should be")
    with pytest.raises(DataError, match="can't be reached"):
        checkpoints.push()
    Path(".dvc/config").write_text("[core]\n    no_scm = True\n")
    with pytest.raises(UsageError, match="no remote of DVC is set here"):
        checkpoints.push()
