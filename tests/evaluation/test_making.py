"""`dataset rulers` makes what measures a data set, says how it compares, and keeps what is made already."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnistgan import files
from mnistgan.datasets import contract
from mnistgan.errors import RulerError
from mnistgan.evaluation import fitting, making
from mnistgan.rulers import cards
from mnistgan.rulers.real import RealData
from pipeline.__main__ import main
from pipeline.commands.dataset.rulers import _beside, _fit, _make
from tests import committed

ROOT = Path(__file__).resolve().parents[2]
PINNED = ROOT / "pretrained" / "mnist"
MEMBERS = ("classifier.npz", "classifier.json", "pixels.npz", "pixels.json")


@pytest.mark.slow
def test_rulers_are_the_same_to_the_byte_each_time_are_compared_and_are_kept_for_the_data_they_are_of(
    small: RealData, tmp_path: Path
) -> None:
    few = RealData(small.train[np.arange(250)], small.validation, small.test, small.facts)
    recipe = fitting.Settings(**few.facts.classifier.model_dump() | {"epochs": 2})
    for name in ("made", "again"):
        _make(tmp_path / name, few, recipe, lambda *_: None)
    assert [files.sha256(tmp_path / "made" / name) for name in MEMBERS] == [
        files.sha256(tmp_path / "again" / name) for name in MEMBERS
    ]
    told = _beside(tmp_path / "made", PINNED, few)
    assert "(pinned 99." in told
    assert "classifier's arrays differ, pixel ruler's differ" in told
    assert "arrays the pinned ones, pixel ruler's the pinned ones" in _beside(
        tmp_path / "made", tmp_path / "again", few
    )
    assert _fit(tmp_path / "made", few)
    assert not _fit(tmp_path / "made", small)
    assert not _fit(tmp_path / "nothing", few)


def test_a_classifier_that_was_stopped_is_gone_on_with_to_the_same_bytes(
    small: RealData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, other, state = small.train[np.arange(250)], small.train[np.arange(250, 500)], tmp_path / "state.npz"
    recipe = fitting.Settings(**small.facts.classifier.model_dump() | {"epochs": 2})

    def stop(*held: Any) -> None:
        save(*held)
        raise KeyboardInterrupt

    whole, save = fitting.fit(few, small.validation, recipe), fitting._save
    with monkeypatch.context() as cut:
        cut.setattr(fitting, "_save", stop)
        with pytest.raises(KeyboardInterrupt):
            fitting.fit(few, small.validation, recipe, state=state)
    again = fitting.fit(few, small.validation, recipe, state=state)
    assert again.epochs == whole.epochs
    assert all(np.array_equal(again.arrays[name], whole.arrays[name]) for name in whole.arrays)
    assert fitting.fit(other, small.validation, recipe, state=state).epochs != whole.epochs


def test_the_class_whose_absence_is_the_unit_is_that_of_the_upper_median(small: RealData) -> None:
    absent = dict(zip(small.facts.classes, (5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0, 0.0), strict=True))
    found = making.with_missing_class(small, absent)
    assert (found.missing, found.missing_name) == (0, "0")  # 0 1 2 3 4 [5] 6 7 8 9
    assert str(found.facts.missing_class_chosen).startswith("the upper median")


def test_what_was_chosen_is_written_into_the_data_sets_file_and_nothing_else(small: RealData, tmp_path: Path) -> None:
    committed.lay_out_params(tmp_path)
    path = tmp_path / contract.file_of("mnist")
    before = path.read_text("utf-8")
    even = making.with_missing_class(small, {"what": "as a card has it", **dict.fromkeys("0123456789", 1.0)})
    contract.write_missing_class("mnist", even.facts, tmp_path)
    found = contract.load("mnist", tmp_path)
    assert found.missing_class == 5
    changed = [line for line in path.read_text("utf-8").splitlines() if line not in before.splitlines()]
    assert [line.partition(":")[0] for line in changed] == ["missing_class", "missing_class_chosen"]


def test_rulers_of_other_data_are_refused_with_both_digests(small: RealData) -> None:
    with pytest.raises(RulerError) as raised:
        cards.demand_data(PINNED, small.named_digests)
    assert str(raised.value).startswith(
        f"{PINNED}/classifier.json: made of other data: the digest of its train images is f6b1e39c8561, of those here "
        f"{small.train.digest[:12]}; "
    )
    cards.demand_data(PINNED, {name: card["sha256"] for name, card in cards.read(PINNED, "pixels")[1]["data"].items()})


def test_a_data_set_that_is_not_there_is_answered_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    committed.lay_out_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pipeline", "dataset", "rulers", "kmnist"])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == 2
    assert "data.name: got 'kmnist'; should be one of: fashion-mnist, mnist" in capsys.readouterr().err
