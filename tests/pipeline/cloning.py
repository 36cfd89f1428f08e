"""A clone of this repository with small params, in which the real stages run on real MNIST within a test's time."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.committed import CODE, SETTINGS, lay_out

SMALL = {
    "images: train": "images: 128",
    "epochs: 9": "epochs: 2",
    "batch_size: 64": "batch_size: 16",
    "recompute_batchnorm: true": "recompute_batchnorm: false",
    "samples: 10000": "samples: 1000",
}
"""Changes to the fast recipe and those after it, and to params.yaml."""


@dataclass(frozen=True)
class Clone:
    """A clone of this repository with a store and a cache of its own."""

    root: Path
    home: Path
    tracking: str | None = None
    """What MNISTGAN_TRACKING is set to."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables."""

    def run(self, *command: str, ok: bool = True) -> str:
        """Run a command as if in the activated environment; its standard output, and its error output if it fails."""
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True)
        assert not ok or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + ("" if ok else done.stderr)

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def pipeline(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "pipeline", *arguments)

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file and commit it."""
        text = (self.root / name).read_text("utf-8")
        assert old in text
        (self.root / name).write_text(text.replace(old, new), "utf-8")
        self.run("git", "commit", "-q", "-a", "-m", f"{name}: {new}")

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_", "COV_"))}
        for name in ("PYTHONPATH", "MNISTGAN_TRACKING"):
            kept.pop(name, None)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        switch = {"MNISTGAN_TRACKING": self.tracking} if self.tracking else {}
        return {**kept, **switch, **self.settings, "PATH": path, "MNISTGAN_CACHE_DIR": str(self.home)}

    @property
    def store(self):
        import mlflow

        return mlflow.MlflowClient(f"sqlite:///{self.root}/mlruns/mlflow.db")

    @property
    def runs(self):
        """The runs of the store, as they are now; none where there is no store yet."""
        if not (self.root / "mlruns/mlflow.db").exists():  # a client would make it
            return []
        experiment = self.store.get_experiment_by_name("mnistgan")
        return self.store.search_runs([experiment.experiment_id])

    def published(self) -> dict[str, tuple]:
        """All that the store shows of each run, by run id: tags, params, points, files."""
        return {
            run.info.run_id: (run.data.tags, run.data.params, self.points(run), self._files(run)) for run in self.runs
        }

    def points(self, run) -> dict[str, list[tuple[int, float]]]:
        """Each metric's points (step, value), as they were logged."""
        return {
            name: [(point.step, point.value) for point in self.store.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }

    def images(self, run) -> list[int]:
        """The steps of the slider's images."""
        files = [file.path for file in self.store.list_artifacts(run.info.run_id, "images")]
        return sorted(int(name.split("+step+")[1].split("+")[0]) for name in files if name.endswith(".png"))

    def _files(self, run, folder: str | None = None) -> list[str]:
        listed = self.store.list_artifacts(run.info.run_id, folder)
        inner = (self._files(run, file.path) if file.is_dir else [file.path] for file in listed)
        return sorted(name for names in inner for name in names)


def clone(folder: Path, cache: Path, changes: Mapping[str, str] = SMALL) -> Clone:
    """A git repository of this checkout's code as it is, with changed params of the fast recipe, committed."""
    lay_out(folder, *CODE, *SETTINGS, "mlruns/.gitkeep", "pyproject.toml", "gate.yaml")
    params, recipes = folder / "params.yaml", folder / "recipes" / "dcgan.yaml"
    before, fast = recipes.read_text("utf-8").split("\nfast:")
    sections = params.read_text("utf-8")
    for old, new in changes.items():
        assert old in fast + sections
        fast, sections = fast.replace(old, new), sections.replace(old, new)
    recipes.write_text(f"{before}\nfast:{fast}", "utf-8")
    params.write_text(sections, "utf-8")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "small"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    for name, value in (("user.name", "A"), ("user.email", "a@example.org")):
        subprocess.run(["git", "config", name, value], cwd=folder, check=True)
    return Clone(folder, cache)
