"""What verify finds: nothing where nothing changed, and else what differs and by how much."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from mnistgan.errors import DataError, DifferenceError, FormatError, UsageError
from mnistgan.files import write_arrays, write_json
from mnistgan.rulers.pins import pins
from pipeline import runtime
from pipeline.commands.verify import Stage, verify
from pipeline.dvcfiles import digests, dvc_lock, dvc_yaml
from pipeline.results import differing
from pipeline.runs import journal, keys
from tests.committed import CODE, SETTINGS, lay_out
from tests.pipeline.fabricated import forget_machine

ROOT = Path(__file__).resolve().parents[3]

PIPELINE = """
stages:
  prepare:
    cmd: exec python -m pipeline prepare --train data/train.npz --summary data/summary.json
    params: [prepare]
    outs: [data/train.npz, data/summary.json]
  train:
    cmd: exec python -m pipeline train --train data/train.npz --final models/final.npz
      --versions models/versions.json --machine metrics/machine.json --curves metrics/training.csv
    deps: [data/train.npz, src]
    params: [train, {"recipes/${train.family}.yaml": ["${train.recipe}"]}]
    outs: [models/final.npz, models/versions.json]
    metrics:
      - metrics/machine.json: {cache: false}
    plots:
      - metrics/training.csv: {cache: false}
  evaluate:
    cmd: exec python -m pipeline evaluate --weights models/final.npz --rulers pretrained
      --metrics metrics/evaluation.json
    deps: [models/final.npz, pretrained, src]
    params: [evaluate]
    metrics:
      - metrics/evaluation.json: {cache: false}
  render:
    cmd: exec python -m pipeline render --weights models/final.npz --pictures pictures
    deps: [models/final.npz]
    params: [render]
    outs: [pictures]
"""
PARAMS = """
prepare: {split_seed: 0}
train: {family: dcgan, recipe: fast, seed: 0}
evaluate: {samples: 1000, latent_seed: 1}
render: {frame_milliseconds: 400}
"""
# Stages that take milliseconds. AWRY names one that comes out otherwise, as on another processor.
STAGES = """
import json, os, pathlib, sys
import numpy as np
from PIL import Image
stage, *words = sys.argv[1:]
options = {name[2:]: pathlib.Path(value) for name, value in zip(words, words[1:]) if name.startswith("--")}
for path in options.values():
    path.parent.mkdir(parents=True, exist_ok=True)
off = float(os.environ.get("BY", 0.5)) if os.environ.get("AWRY") == stage else 0.0
if os.environ.get("FAILS") == stage:
    sys.exit(2)
if "GATE" in os.environ:
    open(os.environ["GATE"]).read()
assert not pathlib.Path("checkpoints").exists() or os.environ.get("RECORDING")
if stage == "prepare":
    np.savez(options["train"], images=np.full((2, 28, 28), int(off), np.uint8))
    options["summary"].write_text("{}")
elif stage == "train":
    assert "--fresh" in words or os.environ.get("RECORDING")
    np.savez(options["final"], kernel=np.full((3, 3), 1 + off), bias=np.zeros(3))
    options["versions"].write_text(os.environ["VERSIONS"])
    if "machine" in options:
        options["machine"].write_text(os.environ["MACHINE"])
    options["curves"].write_text(f"step,loss\\n100,{1 + off}\\n")
elif stage == "evaluate":
    weights = float(np.load(options["weights"])["kernel"][0, 0]) + off
    fid = {"value": 20 * weights, "low": 20 * weights - 8, "high": 20 * weights + 8}
    options["metrics"].write_text(json.dumps({"fid": fid, "samples": 1000, "pins": os.environ["PINS"]}))
else:
    options["pictures"].mkdir(exist_ok=True)
    weights = float(np.load(options["weights"])["kernel"][0, 0]) + off
    Image.new("L", (4, 4), int(100 * weights)).save(options["pictures"] / "samples.png")
"""


def cards(folder: Path) -> str:
    """Two rulers of noise with their cards; the pins of an evaluation by them."""
    from mnistgan.rulers.cards import save

    splits = {
        name: {"sha256": letter * 64} for name, letter in zip(("train", "validation", "test"), "abc", strict=True)
    }
    layers = {"penultimate": 4, "logits": 2}
    first = save(folder, "classifier", {"kernel": np.ones(4, np.float32)}, {"layers": layers, "data": splits})
    second = save(folder, "pixels", {"mean": np.ones(4, np.float32)}, {"layers": {"components": 4}, "data": splits})
    return str(pins(first, list(layers), second, [each["sha256"] for each in splits.values()], 1000, 1))


def record(root: Path = Path()) -> None:
    """Write dvc.lock for the files of a workspace, as DVC does."""
    stages = {}
    for name, declared in dvc_yaml.declared(root).items():
        stages[name] = {
            "cmd": declared.command,
            "deps": [{"path": path, "md5": digests.md5_of(root / path)} for path in declared.deps],
            "params": declared.params,
            "outs": [{"path": path, "md5": digests.md5_of(root / path)} for path in declared.outs],
        }
    with (root / "dvc.lock").open("w") as file:
        YAML(typ="safe", pure=True).dump({"schema": "2.0", "stages": stages}, file)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace of quick stages, made and recorded; and what its stages read in the environment."""
    root = tmp_path_factory.mktemp("made") / "workspace"
    for folder in (".dvc", "pipeline", "src", "checkpoints"):
        (root / folder).mkdir(parents=True)
    (root / "pipeline" / "__main__.py").write_text(STAGES)
    (root / "src" / "code.py").write_text("pass\n")
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / "params.yaml").write_text(PARAMS)
    (root / "recipes").mkdir()
    (root / "recipes" / "dcgan.yaml").write_text("fast: {epochs: 2, learning_rate: 6.0e-4}\n")
    versions = runtime.installed_versions()
    (root / "requirements.lock").write_text("".join(f"{name}=={version} \\\n" for name, version in versions.items()))
    told = {
        "PINS": cards(root / "pretrained"),
        "VERSIONS": json.dumps(versions, indent=2) + "\n",
        "MACHINE": json.dumps(runtime.machine("float32")),
    }
    environment = {**os.environ, **told, "RECORDING": "1"}
    environment.pop("PYTHONPATH", None)
    for declared in dvc_yaml.declared(root).values():
        words = declared.command.split()[2:]
        subprocess.run([sys.executable, *words], check=True, cwd=root, env=environment)
    record(root)
    return root, told


@pytest.fixture
def here(made: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that workspace; the current folder."""
    root, told = made
    copy = shutil.copytree(root, tmp_path / "workspace")
    monkeypatch.chdir(copy)
    for name in ("DVC_ROOT", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return copy


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def differences(stage: Stage | None = None, fast: bool = False) -> str:
    with pytest.raises(DifferenceError) as raised:
        verify(stage, fast)
    assert raised.value.exit_code == 1
    return str(raised.value)


def by_the_record() -> None:
    """The file that git keeps says what trained, as in a clone."""
    Path("metrics/machine.json").write_text('{"processor": "an older processor"}')
    record()


def by_the_journal() -> None:
    """A record from before there was that file; the journals say what trained and measured."""
    forget_machine()
    now = keys.state_of_lock(dvc_lock.read())
    with pytest.MonkeyPatch.context() as before:
        before.setattr(runtime, "cpu_model", lambda: "an older processor")
        for key, stage in ((now.train_key, "train"), (now.run_key, "evaluate")):
            with journal.recording(journal.path_of(Path.cwd(), key), stage):
                pass


@pytest.fixture
def elsewhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record was made on another processor, it says."""
    by_the_record()
    monkeypatch.setattr(runtime, "cpu_model", lambda: "this processor")
    monkeypatch.setenv("MACHINE", '{"processor": "this processor"}')


def test_a_record_that_agrees_is_said_to_with_what_was_looked_at_and_what_is_not_here(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify(fast=True)
    told = "dvc.lock agrees with what is here: prepare, train, evaluate, render; "
    assert capsys.readouterr().out == f"{told}10 files and folders looked at\n"
    Path("models/final.npz").unlink()
    shutil.rmtree("data")
    verify(fast=True)
    away = "3 not here: data/train.npz, data/summary.json, models/final.npz"
    assert capsys.readouterr().out == f"{told}7 files and folders looked at, {away}\n"


def test_with_nothing_to_look_at_nothing_agrees(here: Path) -> None:
    Path("dvc.yaml").write_text("stages: {}\n")
    Path("dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    with pytest.raises(DataError, match="no stages, so nothing to look at"):
        verify(fast=True)


@pytest.mark.parametrize(
    ("path", "old", "new", "mend"),
    [
        ("src/code.py", "pass", "pass  # changed", "src"),
        ("params.yaml", "seed: 0}", "seed: 1}", "params.yaml"),
        ("dvc.yaml", "--pictures pictures", "--pictures others", "dvc.yaml"),
        ("metrics/training.csv", "100", "200", "metrics/training.csv"),
        ("dvc.lock", "cmd: exec python -m pipeline evaluate", "cmd: exec python -m pipeline  evaluate", "dvc.lock"),
    ],
)
def test_what_was_not_committed_is_told_to_be_put_back_by_git(
    here: Path, monkeypatch: pytest.MonkeyPatch, path: str, old: str, new: str, mend: str
) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    for words in (["init", "-q"], ["add", "--all"], [*identity, "commit", "-qm", "made"]):
        subprocess.run(["git", *words], check=True)
    edit(path, old, new)
    assert f"`git restore {mend}` puts back what is committed; where the change is meant, " in differences(fast=True)
    subprocess.run(["git", "add", path], check=True)
    assert f"`git restore --staged --worktree {mend}` puts back what is committed; where" in differences(fast=True)
    subprocess.run(["git", *identity, "commit", "-qam", "meant"], check=True)
    assert "git restore" not in differences(fast=True)
    monkeypatch.setenv("PATH", "")
    assert path.partition("/")[0] in differences(fast=True)


def test_what_git_can_not_put_back_is_told_to_be_removed_and_a_record_that_may_be_good_is_kept(here: Path) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    Path(".gitignore").write_text("/models\n")
    for words in (["init", "-q"], ["add", "--all"], [*identity, "commit", "-qm", "made"]):
        subprocess.run(["git", *words], check=True)
    Path("src/new.py").touch()
    assert "; remove src/new.py, which git does not track; where the change is meant, " in differences(fast=True)
    Path("src/new.py").unlink()
    record_of_a_training = Path("dvc.lock").read_text() + "\n"
    Path("dvc.lock").write_text(record_of_a_training)
    Path("models/final.npz").write_bytes(b"other")
    assert "git restore" not in differences(fast=True)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"value": 20.0, "low": 30.0, "high": 40.0}, "fid.low is 30 beside a fid of 20"),
        (
            {"value": 20.0, "low": 12.0, "high": 28.0, "missing_class": 18.6, "relative": 0.5},
            "fid is 20, yet 0.5 times 18.6",
        ),
        ({"value": "high", "low": 12.0, "high": 28.0}, "fid.value: got 'high', expected a number"),
    ],
)
def test_figures_that_contradict_themselves_are_found_though_every_digest_agrees(
    here: Path, section: dict[str, object], said: str
) -> None:
    path = Path("metrics/evaluation.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fid": section}))
    record()
    assert said in differences(fast=True)


def test_of_this_repositorys_own_record_fast_takes_seconds_and_loads_nothing_heavy(tmp_path: Path) -> None:
    lay_out(tmp_path, *CODE, *SETTINGS, "dvc.lock", "metrics", "plots")
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline", "verify", "--fast"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert loaded & {"tensorflow", "keras", "mlflow", "dvc", "pandas", "matplotlib"} == set()
    assert done.returncode in (0, 1), done.stderr  # 1: code was changed, and not run yet
    assert after.children_user + after.children_system - before.children_user - before.children_system < 10  # 1 s


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda: edit("params.yaml", "seed: 0}", "seed: 1}"), r"params\.yaml, train\.seed: 1, dvc\.lock records 0"),
        (
            lambda: edit("recipes/dcgan.yaml", "6.0e-4", "7.0e-4"),
            r"recipes/dcgan\.yaml, fast\.learning_rate: 0\.0007.*records 0\.0006",
        ),
        (lambda: edit("dvc.yaml", "--pictures pictures", "--pictures others"), "records the command"),
        (lambda: edit("dvc.yaml", "deps: [models/final.npz]", "deps: []"), "in dvc.lock's deps, not in dvc.yaml"),
        (lambda: edit("dvc.yaml", "outs: [pictures]", "outs: [pictures, more]"), "more: in dvc.yaml's outs, not in"),
        (lambda: edit("dvc.yaml", "  render:", "  draw:"), "dvc.lock has no entry for it"),
        (lambda: edit("src/code.py", "pass", "pass  # changed"), r"train: src: MD5 .*, dvc\.lock records"),
        (lambda: shutil.rmtree("src"), "src: no such file or folder; restore it with git"),
        (lambda: Path("metrics/training.csv").write_text("step,loss\n"), r"training\.csv: MD5 .*restore it with git"),
        (lambda: Path("metrics/training.csv").unlink(), r"metrics/training\.csv: no such file; restore it with git"),
        (lambda: Path("models/final.npz").write_bytes(b"other"), r"final\.npz: MD5 .*run `dvc checkout`"),
        (lambda: edit("requirements.lock", "keras==", "keras==0"), r"trained on keras 3\S+ \(pinned: 03"),
        (lambda: write_arrays(Path("pretrained/pixels.npz"), {"mean": np.zeros(4)}), "its card says"),
    ],
)
def test_what_is_not_as_recorded_is_said_with_both_sides_and_how_to_mend_it(
    here: Path, break_it: Callable[[], object], said: str
) -> None:
    break_it()
    assert re.search(said, differences(fast=True), re.DOTALL)


def test_what_dvcs_cache_keeps_may_be_away_and_the_versions_are_still_held_to_the_pins(here: Path) -> None:
    shutil.rmtree("models")
    shutil.rmtree("data")
    verify(fast=True)
    edit("requirements.lock", "keras==", "keras==0")
    assert "trained on other versions" in differences(fast=True)


def test_figures_measured_by_other_rulers_are_found_by_their_pins(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit("metrics/evaluation.json", '"pins": "', '"pins": "0')
    record()
    said = differences(fast=True)
    assert "different the classifier ruler" in said


def test_stages_that_disagree_on_what_lies_between_them_are_found(here: Path) -> None:
    first = dvc_lock.parts_of(dvc_lock.read())["train"].outs["models/final.npz"]
    text = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(text.replace(first, "f" * 32, 1))
    assert "but recorded as an out with" in differences(fast=True)


def test_one_stage_is_judged_by_its_own_record(here: Path) -> None:
    edit("params.yaml", "400", "500")
    verify("train", fast=True)
    assert "render.frame_milliseconds" in differences("render", fast=True)


@pytest.mark.parametrize(
    ("text", "error"), [("stages: {train: [}", FormatError), ("", FormatError), (None, UsageError)]
)
def test_a_torn_lock_is_no_difference_but_bad_data(here: Path, text: str | None, error: type[Exception]) -> None:
    Path("dvc.lock").unlink() if text is None else Path("dvc.lock").write_text(text)
    with pytest.raises(error):
        verify(fast=True)


def test_made_again_to_the_bit_in_a_folder_of_its_own(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
    verify()
    assert "the same bytes: prepare, train, evaluate, render made again, 7 outs" in capfd.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == before


def test_one_stage_is_made_again_on_what_is_recorded(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    verify("evaluate")
    assert "the same bytes: evaluate made again, 1 outs" in capfd.readouterr().out


def test_inputs_come_from_dvcs_cache_where_the_workspace_lacks_them(here: Path) -> None:
    made = Path("models/final.npz")
    digest = digests.md5_of(made)
    cached = Path(".dvc/cache/files/md5") / digest[:2] / digest[2:]
    cached.parent.mkdir(parents=True)
    made.rename(cached)
    verify("render")
    cached.unlink()
    with pytest.raises(DataError, match=r"final\.npz: not here as dvc\.lock records it.*`dvc checkout`"):
        verify("render")


def test_other_bytes_are_told_by_how_much_they_differ(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWRY", "train")
    said = differences()
    assert "other bytes than dvc.lock records: train, evaluate, render" in said
    assert "1 of 2 arrays differ, furthest first" in said
    assert "kernel: 0.5" in said
    assert "line 2, loss: 1.0 recorded, 1.5 now" in said
    assert "fid.value: 20.0 recorded, 30.0 now" in said
    assert "16 of 16 pixels differ, by up to 50 of 255" in said


@pytest.mark.parametrize("known", [by_the_record, by_the_journal])
@pytest.mark.usefixtures("elsewhere")
def test_on_another_processor_other_bytes_within_the_metrics_intervals_are_a_warning_that_names_both(
    known: Callable[[], None], here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    known()
    monkeypatch.setenv("AWRY", "train")
    verify()
    said = capfd.readouterr()
    assert "warning: other bytes than dvc.lock records: train, evaluate, render" in said.err
    assert "processor of train: an older processor when it was recorded, this processor here" in said.err
    assert "every metric within its interval" in said.out


@pytest.mark.usefixtures("elsewhere")
def test_on_another_processor_the_same_bytes_are_that_and_both_are_named(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    verify()
    said = capfd.readouterr().out
    assert "the same bytes: prepare, train, evaluate, render made again, 7 outs" in said
    assert "processor of train: an older processor when it was recorded, this processor here" in said


def test_where_the_same_processor_trains_at_another_precision_both_are_named_and_excuse_the_same(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("metrics/machine.json").write_text(json.dumps(runtime.machine("bfloat16")))
    record()
    monkeypatch.setenv("AWRY", "train")
    verify()
    said = capfd.readouterr()
    assert "warning: other bytes than dvc.lock records: train, evaluate, render" in said.err
    assert "precision of train: bfloat16 when it was recorded, float32 here" in said.err
    assert "processor" not in said.err
    assert "every metric within its interval" in said.out


def test_a_stage_alone_whose_processor_nothing_tells_is_held_to_have_run_on_trains(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    by_the_record()
    monkeypatch.setenv("AWRY", "evaluate")
    monkeypatch.setenv("BY", "0.1")
    verify("evaluate")
    assert "processor of train: an older processor when it was recorded" in capfd.readouterr().err


@pytest.mark.usefixtures("elsewhere")
def test_on_another_processor_metrics_outside_their_intervals_are_a_difference(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWRY", "train")
    monkeypatch.setenv("BY", "2")
    assert "fid: 12 to 28 recorded, 52 to 68 now" in differences()


@pytest.mark.usefixtures("elsewhere")
def test_no_processor_excuses_other_data(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWRY", "prepare")
    monkeypatch.setenv("BY", "3")
    assert "other bytes than dvc.lock records: prepare" in differences()


@pytest.mark.usefixtures("elsewhere")
def test_a_stage_alone_is_not_excused_without_its_metrics(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWRY", "train")
    assert "all stages, says whether the metrics agree" in differences("train")


def test_another_library_is_named_and_excuses_the_same(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    other = {**runtime.installed_versions(), "keras": "0.1"}
    write_json(Path("models/versions.json"), other)
    record()
    edit("requirements.lock", f"keras=={runtime.installed_versions()['keras']}", "keras==0.1")
    verify()
    said = capfd.readouterr()
    assert f"keras: 0.1 when it was recorded, {runtime.installed_versions()['keras']} here" in said.err
    assert "other bytes in train" in said.out


def test_a_stage_that_fails_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "evaluate")
    with pytest.raises(DataError, match="evaluate: ended with exit code 2 when made again"):
        verify()


def test_ended_by_sigterm_it_ends_the_stage_that_it_runs_and_leaves_no_scratch_folder(here: Path) -> None:
    os.mkfifo("gate")
    Path("tmp").mkdir()
    script = f"import sys; sys.path.insert(0, '{ROOT}'); from pipeline.__main__ import main; main()"
    environment = {**os.environ, "GATE": str(here / "gate"), "TMPDIR": str(here / "tmp")}
    with subprocess.Popen(
        [sys.executable, "-c", script, "verify", "render"], env=environment, stderr=subprocess.PIPE
    ) as child:
        with Path("gate").open("wb", buffering=0) as gate:  # opens once the stage reads it
            child.terminate()
            assert child.wait() == 130
            with pytest.raises(BrokenPipeError):
                gate.write(b"is anybody still reading?")
        assert child.stderr is not None
        assert b"Traceback" not in child.stderr.read()
    assert list(Path("tmp").iterdir()) == []


def test_a_command_that_is_not_this_programs_is_not_run(here: Path) -> None:
    for file in ("dvc.yaml", "dvc.lock"):
        edit(file, "exec python -m pipeline render", "exec python -m other render")
    with pytest.raises(UsageError, match="should begin with exec python -m pipeline render"):
        verify("render")


def test_the_exit_code_is_one(here: Path) -> None:
    edit("params.yaml", "400", "500")
    command = [sys.executable, "-m", "pipeline", "verify", "--fast"]
    shutil.rmtree("pipeline")
    (here / "pipeline").symlink_to(ROOT / "pipeline")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: not as recorded:\n  render: params.yaml")


@pytest.mark.parametrize(
    ("name", "before", "now", "said"),
    [
        (
            "a.json",
            b'{"a": {"b": 1}}',
            b'{"a": {"b": 2}, "c": 3}',
            ["a.b: 1 recorded, 2 now", "c: nothing recorded"],
        ),
        ("a.csv", b"x,y\n1,2\n", b"x,y\n1,3\n4,5\n", ["2 lines recorded, 3 now", "line 2, y: 2 recorded, 3 now"]),
        ("a.json", b"{", b"{}", ["can't be read as what its name says"]),
        ("a.gif", b"abc", b"abd!", ["3 bytes recorded, 4 now"]),
    ],
)
def test_files_are_compared_by_what_they_hold(
    tmp_path: Path, name: str, before: bytes, now: bytes, said: list[str]
) -> None:
    for folder, content in (("before", before), ("now", now)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(content)
    found = differing.differences(tmp_path / "before" / name, tmp_path / "now" / name)
    for line in said:
        assert any(line in each for each in found), found


def test_folders_are_compared_file_by_file(tmp_path: Path) -> None:
    for folder, names in (("before", "ab"), ("now", "bc")):
        (tmp_path / folder).mkdir()
        for name in names:
            Image.new("L", (2, 2)).save(tmp_path / folder / f"{name}.png")
    found = differing.differences(tmp_path / "before", tmp_path / "now")
    assert found == ["a.png: recorded, not made now", "c.png: made now, not recorded"]


def test_arrays_of_other_shapes_and_names_are_named(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", {"one": np.zeros(2), "kind": np.array("dcgan"), "gone": np.zeros(1)})
    write_arrays(tmp_path / "b.npz", {"one": np.zeros(3), "kind": np.array("other")})
    found = " ".join(differing.differences(tmp_path / "a.npz", tmp_path / "b.npz"))
    assert "holds kind, one now, gone, kind, one recorded" in found
    assert "one: float64 [3] now, float64 [2] recorded" in found
    assert "kind: other text" in found


def test_what_is_beyond_a_screen_is_counted(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", dict.fromkeys("abcdefghij", 0))
    write_json(tmp_path / "b.json", dict.fromkeys("abcdefghij", 1))
    assert differing.differences(tmp_path / "a.json", tmp_path / "b.json")[-1] == "and 4 more differences"


def test_an_interval_by_its_standard_error_counts_too() -> None:
    before, now = ({"kid": {"value": value, "standard_error": 1.0}} for value in (10.0, 13.0))
    assert differing.outside_their_intervals(before, now) == []
    assert differing.outside_their_intervals(before, {"kid": {"value": 20.0, "standard_error": 1.0}}) != []
    assert differing.outside_their_intervals(before, {"other": {"value": 1}}) is None


@pytest.mark.parametrize(
    "kid",
    [
        {"value": 10.0, "standard_error": 1e9},
        {"value": 10.0, "low": -1e9, "high": 1e9},
        {"value": math.nan, "standard_error": 1.0},
        {"value": None, "standard_error": None},
        {"standard_error": 1.0},
        {},
    ],
)
def test_a_record_is_not_excused_by_an_interval_that_it_widened_or_lacks(kid: dict[str, float | None]) -> None:
    made = {"kid": {"value": 20.0, "standard_error": 1.0}, "fid": {"value": 2.0, "low": 1.0, "high": 3.0}}
    (said,) = differing.outside_their_intervals({"kid": kid, "fid": made["fid"]}, made) or [""]
    assert said.startswith("kid: ")
