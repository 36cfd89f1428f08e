"""A git repository that records made-up results of a few commits, for tests of what compares them."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mnistgan.comparison import seeds
from mnistgan.comparison.seeds import SeedRow
from pipeline.dvcfiles import digests, layout
from pipeline.results import lookup
from tests.comparison.made_up import figures, seeds_around, write

RECIPES = "recipes/dcgan.yaml"
KNOBS = {"images": "train", "epochs": 5, "batch_size": 32, "learning_rate": 0.001}


@dataclass(frozen=True)
class Repository:
    """A git repository that records made-up results; the current folder of a test."""

    root: Path

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout.strip()

    def record(
        self,
        fid: float = 27.0,
        seed: int = 0,
        code: str = "c0",
        weights: str | None = None,
        machine: Mapping[str, str] | None = None,
        **knobs: Any,
    ) -> None:
        """Write what a run with these knobs would leave; without ``machine``, one from before that was recorded."""
        recipe = KNOBS | knobs
        params = {
            "train": {"family": "dcgan", "recipe": "fast", "seed": seed},
            "evaluate": {"samples": 10000},
        }
        (self.root / "params.yaml").write_text(json.dumps(params))
        (self.root / "recipes").mkdir(exist_ok=True)
        (self.root / RECIPES).write_text(json.dumps({"fast": recipe}))
        metrics = write(self.root / layout.METRICS, fid=fid)
        made, options = {"models/final.npz": weights or f"w{fid}"}, "--final models/final.npz"
        if machine:
            options += f" --machine {layout.MACHINE}"
            (self.root / layout.MACHINE).write_text(json.dumps(machine))
            made[str(layout.MACHINE)] = digests.md5_of(self.root / layout.MACHINE)
        (self.root / "dvc.lock").write_text(
            json.dumps(
                {
                    "schema": "2.0",
                    "stages": {
                        "prepare": stage(outs={"data/train.npz": "d0"}, deps={"src/mnistgan/datasets": "p0"}),
                        "train": stage(
                            deps={"data/train.npz": "d0", "src/mnistgan/training": code},
                            params={"train": params["train"]},
                            recipe={"fast": recipe},
                            outs=made,
                            options=options,
                        ),
                        "evaluate": stage(
                            deps={"models/final.npz": weights or f"w{fid}", "pretrained": "r0"},
                            params={"evaluate": {"samples": 10000}},
                            recipe={"fast.images": "train"},
                            outs={str(layout.METRICS): digests.md5_of(metrics)},
                        ),
                    },
                }
            )
        )

    def record_seeds(self, count: int = 5) -> None:
        """Write the spread of the recipe that is recorded."""
        digest = lookup.read("workspace").side.recipe
        assert digest is not None
        made = enumerate(seeds_around(27.0, count))
        rows = [SeedRow("fast", digest, seed, figures(fid, coverage={"value": fid / 50})) for seed, fid in made]
        (self.root / layout.SEEDS).write_text(seeds.dumps(rows))

    def commit(self, *tags: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--allow-empty", "-m", "recorded")
        for tag in tags:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def experiment(self, name: str, **recorded: Any) -> None:
        """What `dvc exp run` leaves: a commit on the side, under refs/exps."""
        baseline = self.git("rev-parse", "HEAD")
        self.record(**recorded)
        commit = self.commit()
        self.git("reset", "--hard", baseline)
        self.git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", commit)


def made_up_md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def stage(
    options: str = "",
    params: dict[str, Any] | None = None,
    recipe: dict[str, Any] | None = None,
    **files: dict[str, str],
) -> dict[str, Any]:
    """A stage's entry in dvc.lock; a made-up digest that is no MD5 becomes its own."""
    listed = {
        kind: [{"path": path, "md5": md5 if len(md5) >= 32 else made_up_md5(md5)} for path, md5 in held.items()]
        for kind, held in files.items()
    }
    return {"cmd": f"python {options}", "params": {"params.yaml": params or {}, RECIPES: recipe or {}}, **listed}


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of three tags: `base`; `knob`, another batch size and a FID of 60; `again`, another seed."""
    made = Repository(tmp_path_factory.mktemp("recorded"))
    made.git("init", "--initial-branch=main")
    made.record()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.root)
        made.record_seeds()
    made.commit("base")
    made.record(28.0, seed=1)
    made.commit("again")
    made.record(60.0, batch_size=256, learning_rate=0.002, code="c1")
    made.commit("knob")
    return made.root


@pytest.fixture
def repository(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A copy of it for one test: the current folder."""
    made = Repository(tmp_path / "repository")
    shutil.copytree(recorded, made.root)
    monkeypatch.chdir(made.root)
    return made
