import json
from pathlib import Path

import pytest

from mnistgan.errors import DataError, FormatError
from pipeline.results import rows
from tests.rows import asked, make


def test_a_recipe_tells_its_seeds_minutes_figures_and_what_it_makes_of_labels(tmp_path: Path) -> None:
    for seed in range(3):
        make(tmp_path, "mnist/dcgan-fast", seed, 2.0)
        make(tmp_path, "mnist/cgan-fast", seed, 20.0 + seed, as_asked=asked(0.9))
    cgan, dcgan = rows.read(tmp_path)
    assert (dcgan.name, dcgan.data, dcgan.seeds, dcgan.labels) == ("dcgan fast", "mnist", "3 seeds", "in the loss")
    assert (cgan.labels, cgan.minutes) == ("asked for", 10.5)
    assert dcgan.relative(rows.FID) == pytest.approx(2.0 / 18.6494)
    assert cgan.worded("as_asked.value") == "0.9 (0.9 to 0.9)"
    assert dcgan.worded("as_asked.value") == "–"
    assert len(cgan.side.members) == 3


def test_a_seed_that_collapsed_is_counted_and_not_averaged_in(tmp_path: Path) -> None:
    make(tmp_path, "mnist/gan-fast", 0, 2.0)
    make(tmp_path, "mnist/gan-fast", 1, 900.0, repetition={"value": 0.9})
    (gan,) = rows.read(tmp_path)
    assert gan.seeds == "2 seeds, 1 collapsed"
    assert gan.worded(rows.FID) == "0.107"


def test_a_row_that_is_torn_is_refused_by_name(tmp_path: Path) -> None:
    folder = make(tmp_path, "mnist/gan-fast", 0, 2.0)
    facts = folder / rows.FACTS
    facts.write_text(json.dumps({"commit": "0" * 40}))
    with pytest.raises(FormatError, match=r"row\.json: should hold commit, minutes, epochs, walks"):
        rows.Row.read(folder)
    facts.unlink()
    with pytest.raises(DataError, match=r"0/row\.json: no such file; restore it with git"):
        rows.Row.read(folder)
