"""What is exported draws what the weights draw, or isn't written; it says what it is."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mnistgan import exporting, families
from mnistgan.errors import DifferenceError, UsageError
from mnistgan.exporting import Format
from mnistgan.families import sampling
from mnistgan.files import read_arrays, sha256, write_arrays
from pipeline.commands.model.export import export
from tests.specs import COUNTS, MNIST

TOLD = {"family": "gan", "recipe": "plain", "seed": 0, "data": "mnist", "weights": "abc", "commit": "def"}


@pytest.fixture(scope="module", params=["gan"])
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "final.npz"
    sampling.save(path, request.param, families.find(request.param).build_sampled(MNIST, 0))
    return path


def altered(weights: Path, to: Path) -> None:
    """Write the weights with one number of the last kernel another."""
    arrays = read_arrays(weights)
    name = [name for name, array in arrays.items() if array.ndim > 1][-1]
    arrays[name].flat[0] += 1
    write_arrays(to, arrays)


@pytest.mark.parametrize("chosen", [Format.SAVED_MODEL, Format.NPZ])
def test_an_export_draws_what_the_weights_draw(chosen: Format, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    exporting.write(chosen, weights, COUNTS, out, TOLD)
    assert exporting.demand(chosen, out, weights, COUNTS) < 1e-6


def test_an_npz_says_what_it_is_and_is_taken_as_weights(weights: Path, tmp_path: Path) -> None:
    exporting.write(Format.NPZ, weights, COUNTS, tmp_path / "out.npz", TOLD)
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        assert json.loads(archive.comment) == {**TOLD, "latent_size": 100, "prior": []}
    assert sampling.load(tmp_path / "out.npz", COUNTS).latent_size == 100


def test_one_that_draws_otherwise_is_refused(weights: Path, tmp_path: Path) -> None:
    altered(weights, tmp_path / "other.npz")
    exporting.write(Format.SAVED_MODEL, tmp_path / "other.npz", COUNTS, tmp_path / "graph", TOLD)
    with pytest.raises(DifferenceError, match=r"of 64 samples a pixel .* takes 0.0001 at most"):
        exporting.demand(Format.SAVED_MODEL, tmp_path / "graph", weights, COUNTS)


def test_what_differs_is_not_written(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.npz"
    write = exporting.write

    def altering(chosen: Format, weights: Path, counts: list[int], path: Path, told: exporting.Facts) -> None:
        write(chosen, weights, counts, path, told)
        altered(path, path)

    monkeypatch.setattr(exporting, "write", altering)
    with pytest.raises(DifferenceError, match=f"nothing is written to {re.escape(str(out))}") as refused:
        export(out=out, format_="npz", weights=weights)
    assert refused.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "format_", "sentence"),
    [
        ("a.onnx", "torch", "--format torch: takes one of: onnx, savedmodel, npz"),
        ("a.npz", "onnx", "--format onnx writes .onnx"),
        ("a.onnx", "savedmodel", "--format savedmodel writes a folder, without ending"),
        (".", "savedmodel", "something else than an earlier export"),
    ],
)
def test_a_place_that_does_not_go_with_the_format_is_refused(
    out: str, format_: str, sentence: str, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        export(out=tmp_path / out, format_=format_, weights=weights)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["gan", "cgan"], indirect=True)
def test_onnx_draws_the_same_says_what_it_is_and_is_refused_when_altered(weights: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    out = tmp_path / "model.onnx"
    export(out=out, format_="onnx", weights=weights)
    model = onnx.load(str(out))
    (held,) = model.metadata_props
    assert json.loads(held.value)["weights"] == sha256(weights)
    kernel = max(model.graph.initializer, key=lambda one: np.prod(one.dims))
    kernel.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(kernel) + 0.01, kernel.name))
    onnx.save(model, str(tmp_path / "altered.onnx"))
    with pytest.raises(DifferenceError, match=r"altered\.onnx"):
        exporting.demand(Format.ONNX, tmp_path / "altered.onnx", weights, COUNTS)
