"""Where DVC's cache is, as DVC itself says, and that what lies in a moved one is found."""

import json
import shutil
from pathlib import Path

import pytest

from mnistgan.errors import FormatError
from mnistgan.files import write_bytes
from pipeline.dvcfiles import cache, digests, dvc_lock
from pipeline.results import history
from pipeline.runs import keys
from tests.pipeline.fabricated import Workspace


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of DVC's; the current folder, with no settings of a person or machine."""
    (tmp_path / "root" / ".dvc").mkdir(parents=True)
    for level in ("SYSTEM", "GLOBAL"):
        monkeypatch.setenv(f"DVC_{level}_CONFIG_DIR", str(tmp_path / level))
    monkeypatch.chdir(tmp_path / "root")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path / "root"


@pytest.mark.parametrize("file", ["root/.dvc/config.local", "root/.dvc/config", "GLOBAL/config", "SYSTEM/config"])
@pytest.mark.parametrize("place", ["../../my cache", "~/cache", "/some/where"])
def test_it_is_where_dvc_has_it_by_each_of_its_config_files(root: Path, file: str, place: str) -> None:
    from dvc.cachemgr import CacheManager
    from dvc.config import Config

    path = root.parent / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"[core]\n    analytics = false\n[Cache]  # moved\n    dir = {place}\n['remote \"a\"']\n    url = b\n"
    )
    assert str(cache.folder()) == Config(str(root / ".dvc"))["cache"]["dir"]
    assert CacheManager.FILES_DIR == "files"
    assert cache.place("ab" * 16) == cache.folder() / "files/md5/ab" / ("ab" * 15)


def test_the_nearest_of_its_config_files_decides(root: Path) -> None:
    assert cache.folder() == root / ".dvc" / "cache"
    (root / ".dvc/config").write_text("[cache]\n    dir = projects\n")
    assert cache.folder() == root / ".dvc" / "projects"
    (root / ".dvc/config.local").write_text('[cache]\n    dir = "clones"\n')
    assert cache.folder() == root / ".dvc" / "clones"


def test_a_config_file_that_is_none_is_named(root: Path) -> None:
    (root / ".dvc/config").write_text("[cache\n")
    with pytest.raises(FormatError, match=r"\.dvc/config: not a config file of DVC"):
        cache.folder()


def test_what_lies_in_a_cache_that_was_moved_is_found(workspace: Workspace, generator: Path, tmp_path: Path) -> None:
    workspace.finish(generator)
    Path(".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path}/moved\n")
    train = dvc_lock.parts_of(dvc_lock.read())["train"]
    grids = sorted(Path("models/grids").iterdir())
    listing = json.dumps([{"md5": digests.md5_of(path), "relpath": path.name} for path in grids])
    write_bytes(cache.place(train.outs["models/grids"]), listing.encode())
    for path in (*grids, *map(Path, train.outs)):
        if path.is_file():
            digest = digests.md5_of(path)
            write_bytes(tmp_path / "moved/files/md5" / digest[:2] / digest[2:], path.read_bytes())
    shutil.rmtree("models")
    found = history.records()[0]
    assert found.weights
    assert found.state == keys.state_of_lock(dvc_lock.read())
    assert "models/grids/epoch_0001.png" in [path for path, _ in found.files()]
    cache.bring("models/grids", train.outs["models/grids"], tmp_path / "brought")
    assert len(list((tmp_path / "brought").iterdir())) == 3
    cache.place(train.outs["models/grids"]).write_text("[{")
    with pytest.raises(FormatError, match="no list of a folder"):
        found.files()
