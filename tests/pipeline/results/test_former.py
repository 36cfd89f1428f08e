"""What was recorded under the names of before reads as under today's."""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mnistgan.comparison import seeds
from mnistgan.comparison.compare import Basis, Verdict, compare
from mnistgan.comparison.figures import Figures
from mnistgan.comparison.rules import judge
from mnistgan.comparison.sides import changes
from mnistgan.metrics import looks
from pipeline.dvcfiles import dvc_lock, dvc_yaml
from pipeline.results import checkout, former, lookup
from pipeline.results import rules as gate_rules
from tests.comparison.made_up import PINS, report, rows

OLD = {
    "relative": "units",
    "missing_class": "no_8",
    "worst_class": "worst_digit",
    "smallest_class": "smallest_digit",
}
DATA, CODE, OTHER, WEIGHTS, FIGURES = (digit * 32 for digit in "abcde")
LOCK = f"""schema: '2.0'
stages:
  prepare:
    cmd: python -m pipeline prepare --train data/train.npz
    outs: [{{path: data/train.npz, md5: {DATA}}}]
  train:
    cmd: python -m pipeline train --train data/train.npz --generator models/generator.npz
      --discriminator models/discriminator.npz
    deps:
    - {{path: data/train.npz, md5: {DATA}}}
    - {{path: src/mnistgan/models, md5: {CODE}.dir}}
    params:
      params.yaml:
        recipes.fast: {{kind: dcgan, epochs: 9}}
        train: {{recipe: fast, seed: 0, threads: 2}}
    outs:
    - {{path: models/discriminator.npz, md5: {OTHER}}}
    - {{path: models/generator.npz, md5: {WEIGHTS}}}
  evaluate:
    cmd: python -m pipeline evaluate --generator models/generator.npz --metrics metrics/evaluation.json
    deps:
    - {{path: models/generator.npz, md5: {WEIGHTS}}}
    params:
      params.yaml:
        evaluate: {{samples: 10000, latent_seed: 1}}
        recipes.fast.images: train
    outs: [{{path: metrics/evaluation.json, md5: {FIGURES}}}]
"""
TODAY = {
    "        recipes.fast: {kind: dcgan, epochs: 9}\n": "",
    "        train: {recipe: fast, seed: 0, threads: 2}\n": (
        "        train: {family: dcgan, device: cpu, recipe: fast, seed: 0, threads: 2}\n"
        "      recipes/dcgan.yaml:\n        fast: {epochs: 9}\n"
    ),
    "        recipes.fast.images: train\n": "      recipes/dcgan.yaml:\n        fast.images: train\n",
    "train --train data/train.npz --generator": "train --train data/train.npz --final",
    "evaluate --generator": "evaluate --weights",
    "--discriminator models/discriminator.npz": "--parts models/parts",
    "path: models/discriminator.npz": "path: models/parts",
    "models/generator.npz": "models/final.npz",
    "src/mnistgan/models": "src/mnistgan/families",
}
KNOBS = {"kind": "dcgan", "epochs": 9}
DIGEST = seeds.recipe_digest(KNOBS, json.dumps({"data/train.npz": DATA}), PINS)


def old(content: Any) -> Any:
    """An evaluation under the names of before."""
    if not isinstance(content, dict):
        return content
    return {OLD.get(name, name): old(held) for name, held in content.items()}


def test_an_evaluation_of_before_is_one_of_today() -> None:
    reasons = (
        "collapsed: class 8 at 0.10 of its share (0.87 or more), 92% of class 3 repeat others (22% or less)",
        "unsure: 75% are of no clear class (10% or less)",
    )
    now = report(verdict="; ".join(reasons))
    before = {
        **old(now),
        "verdict": "collapsed, unsure",
        "evidence": [
            "collapsed: digit 8 at 0.10 of its share (0.87 or more), 92% of the 3s repeat others (22% or less)",
            "unsure: 75% are no clear digit (10% or less)",
        ],
    }
    assert former.evaluation(before) == now
    assert former.evaluation(now) == now
    assert Figures.of(former.evaluation(before), "it").signature == Figures.of(now, "it").signature


def test_the_tables_of_before_have_todays_columns() -> None:
    header = ",".join(looks.COLUMNS)
    for now, before in (("missing_class", "missing_digit"), ("dropped_classes", "dropped_digits")):
        header = header.replace(now, before)
    assert looks.parse(former.table(f"{header}\n1,2,3,4,5,6,7,8,1 7,9,10\n"))[0].dropped_classes == "1 7"
    assert former.table("digit,share,prior\n0,0.1,0.1\n") == "class,share,prior\n0,0.1,0.1\n"
    assert former.table("class,share,prior\n0,0.1,0.1\n") == "class,share,prior\n0,0.1,0.1\n"


def test_a_lock_from_before_there_were_data_sets_is_of_mnist() -> None:
    held = LOCK.replace(
        "    - {path: src/mnistgan/models",
        f"    - {{path: pretrained/classifier.npz, md5: {OTHER}}}\n    - {{path: src/mnistgan/models",
    ).replace("outs: [{path: data", "params: {params.yaml: {prepare: {sources: [a]}}}\n    outs: [{path: data")
    parts = former.parts(dvc_lock.parts_of(held))
    assert parts["train"].deps["pretrained/mnist/classifier.npz"] == OTHER
    params = dvc_yaml.flat_params(part.params for part in parts.values())
    assert (params["data.name"], params["data.missing_class"]) == ("mnist", 8)
    assert not [name for name in params if name.startswith("prepare.sources")]
    assert former.paths(Path("pretrained/mnist/classifier.npz"))[1] == Path("pretrained/classifier.npz")


def test_a_lock_of_before_names_what_todays_does() -> None:
    parts = former.parts(dvc_lock.parts_of(LOCK))
    train = parts["train"]
    assert train.params == {
        "params.yaml": {"train": {"family": "dcgan", "device": "cpu", "recipe": "fast", "seed": 0, "threads": 2}},
        "recipes/dcgan.yaml": {"fast": {"epochs": 9}},
    }
    assert train.options["final"] == Path("models/final.npz")
    assert train.outs["models/final.npz"] == parts["evaluate"].deps["models/final.npz"]
    assert "src/mnistgan/families" in train.deps
    assert parts["evaluate"].params["recipes/dcgan.yaml"] == {"fast.images": "train"}
    assert former.parts(parts) == parts


def test_a_recipe_of_before_has_the_digest_that_its_seeds_were_recorded_under() -> None:
    before = dvc_lock.parts_of(LOCK)
    assert checkout.recipe_digest(before, PINS) == checkout.recipe_digest(former.parts(before), PINS) == DIGEST


def test_a_param_file_of_before_says_the_same_as_todays() -> None:
    before = {"train": {"recipe": "fast", "seed": 0}, "recipes": {"fast": KNOBS}}
    train = {"family": "dcgan", "device": "cpu", "recipe": "fast", "seed": 0}
    assert former.document(before) == {"train": train, "recipes": {"fast": {"epochs": 9}}}
    assert former.document({"train": train}) == {"train": train}


def write(now: bool, fid: float, weights: str = WEIGHTS) -> None:
    """Write the record of a result into the current folder, under the names of today or of before."""
    content = report(fid)
    evaluation = json.dumps(content if now else {**old(content), "evidence": []}).encode()
    digest = hashlib.md5(evaluation, usedforsecurity=False).hexdigest()
    lock = LOCK.replace(FIGURES, digest).replace(WEIGHTS, weights)
    for before, today in TODAY.items() if now else ():
        assert before in lock
        lock = lock.replace(before, today)
    Path("metrics").mkdir(exist_ok=True)
    Path("metrics/evaluation.json").write_bytes(evaluation)
    Path("gate.yaml").write_text(
        f"fid: no worse than base by more than 25%\nfid.{'relative' if now else 'units'}: at most 9\n"
    )
    Path("dvc.lock").write_text(lock)


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A commit with a result and a spread of seeds under the names of before; its folder is the current one."""
    monkeypatch.chdir(tmp_path)
    write(now=False, fid=27.5)
    text = seeds.dumps(rows(digest=DIGEST))
    for today, name in OLD.items():
        text = text.replace(f".{today}", f".{name}")
    Path("metrics/seeds.csv").write_text(text)
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "before"], ["tag", "before"]):
        subprocess.run([*git, *words], check=True)
    return "before"


def test_the_same_result_under_the_names_of_before_is_identical(before: str) -> None:
    write(now=True, fid=27.5)
    a, b = lookup.read(before), lookup.read("workspace")
    found = compare(a.side, b.side, lookup.recorded_seeds(a, b))
    assert (found.verdict, found.otherwise) == (Verdict.IDENTICAL, None)
    assert changes(a.params, b.params) == changes(a.data, b.data) == changes(a.code, b.code) == ()
    assert (a.doubts, b.doubts) == ((), ())


def test_another_result_is_judged_by_the_spread_that_was_recorded_before(before: str) -> None:
    write(now=True, fid=20.0, weights="f" * 32)
    a, b = lookup.read(before), lookup.read("workspace")
    assert a.side.recipe == b.side.recipe == DIGEST
    for one, other in ((a, b), (b, a)):
        found = compare(one.side, other.side, lookup.recorded_seeds(one, other))
        assert (found.basis, [len(one.rows) for one in found.records]) == (Basis.RECORDED, [5])
    rules = gate_rules.read(Path("gate.yaml"))["mnist"]
    assert [one.outcome.value for one in judge(rules, a.side, b.side, lookup.recorded_seeds(a, b))] == ["pass", "pass"]


def test_rules_a_metrics_file_and_a_seeds_file_of_before_are_taken(before: str) -> None:
    assert list(gate_rules.read(Path("gate.yaml"))["mnist"]) == ["fid", "fid.relative"]
    for name in ("./metrics/evaluation.json", "./metrics/seeds.csv", f"{before}:metrics/seeds.csv"):
        assert "fid.relative" in lookup.read(name).side.members[0].figures.leaves


def test_a_run_of_mlflow_from_before_is_read(before: str) -> None:
    def files_of_run(run: str, places: Sequence[str]) -> dict[str, bytes]:
        assert run == "abc"
        return {place: Path(place).read_bytes() for place in places if Path(place).is_file()}

    found = lookup.read("run:abc", files_of_run)
    assert found.side.recipe == DIGEST
    assert found.side.members[0].figures.signature == lookup.read(before).side.members[0].figures.signature
    assert len(found.seeds) == 5
