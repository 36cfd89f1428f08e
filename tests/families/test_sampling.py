import numpy as np
import pytest

from mnistgan.errors import DataError, FormatError
from mnistgan.families import sampling
from mnistgan.families.dcgan import networks as dcgan
from mnistgan.files import read_arrays, write_arrays


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "generator.npz"
    sampling.save(path, "dcgan", dcgan.generator(0))
    return path


def test_an_image_is_the_same_alone_as_in_a_batch(saved):
    generator = sampling.load(saved)
    latents = sampling.latents(0, sampling.CHUNK + 3, generator.latent_size)
    together = generator.images(latents)
    for place in (0, sampling.CHUNK - 1, sampling.CHUNK + 2):
        assert np.array_equal(generator.images(latents[place : place + 1])[0], together[place])


def test_saving_twice_gives_the_same_bytes_and_loading_gives_the_same_weights(saved, tmp_path):
    again = tmp_path / "again.npz"
    sampling.save(again, "dcgan", sampling.load(saved).network)
    assert again.read_bytes() == saved.read_bytes()


def test_latents_are_standard_normal_and_fewer_are_the_first_of_more():
    many = sampling.latents(5, 2000, 100)
    assert many.dtype == np.float32
    assert np.array_equal(sampling.latents(5, 7, 100), many[:7])
    # 200,000 draws: the mean's sd is 0.0022, the standard deviation's 0.0016; six of each.
    assert abs(many.mean()) < 0.0134
    assert abs(many.std() - 1) < 0.0095


def test_levels_are_rounded_to_the_nearest():
    images = np.array([-1, 1, 0, -1 + 1.4 / 127.5], np.float32).reshape(1, 2, 2, 1)
    assert sampling.to_uint8(images).ravel().tolist() == [0, 255, 128, 1]


def test_no_latents_give_no_images(saved):
    assert sampling.load(saved).images(np.empty((0, 100), np.float32)).shape == (0, 28, 28)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.npz: no such file"):
        sampling.load(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": np.array("vae")}, "of kind 'vae'; takes a generator of kind dcgan"),
        ({"dense/kernel": None}, "lacks dense/kernel"),
        ({"extra/kernel": np.zeros(2, np.float32)}, "has extra/kernel, which no layer"),
        ({"conv28/kernel": np.zeros((5, 5, 64, 1), np.float32)}, r"conv28/kernel has shape \(5, 5, 64, 1\); takes"),
        ({"conv28/kernel": np.zeros((5, 5, 1, 64))}, "holds float64; takes finite float32"),
        (
            {"conv28/kernel": np.full((5, 5, 1, 64), np.nan, np.float32)},
            "conv28/kernel holds 1600 values that are NaN or infinite; takes finite float32",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(saved, tmp_path, change, message):
    named = {name: array for name, array in {**read_arrays(saved), **change}.items() if array is not None}
    broken = tmp_path / "broken.npz"
    write_arrays(broken, named)
    with pytest.raises(FormatError, match=message) as raised:
        sampling.load(broken)
    assert str(raised.value).startswith(f"{broken}: ")


def test_finite_weights_that_draw_nan_are_refused_by_name(saved, tmp_path):
    huge = tmp_path / "huge.npz"
    weights = {
        name: array if name == "kind" else array * np.float32(1e30) for name, array in read_arrays(saved).items()
    }
    write_arrays(huge, weights)
    with pytest.raises(FormatError, match=r"huge\.npz: draws NaN or infinite pixels"):
        sampling.load(huge)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "headless", "empty"])
def test_a_damaged_file_is_refused(saved, tmp_path, damage):
    whole = saved.read_bytes()
    flipped = whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]
    broken = tmp_path / "broken.npz"
    broken.write_bytes({"truncated": whole[:-100], "flipped": flipped, "headless": b"PK", "empty": b""}[damage])
    with pytest.raises(FormatError, match="not a whole NPZ"):
        sampling.load(broken)
