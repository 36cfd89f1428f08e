import numpy as np
import pytest

from mnistgan import families
from mnistgan.errors import DataError, FormatError
from mnistgan.families import sampling
from mnistgan.families.contract import Ask, Family
from mnistgan.families.dcgan import networks as dcgan
from mnistgan.families.sampling import Sampler, slerp
from mnistgan.files import read_arrays, write_arrays
from tests.specs import COUNTS, MNIST


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "generator.npz"
    sampling.save(path, "dcgan", dcgan.generator(0))
    return path


def test_an_image_is_the_same_alone_as_in_a_batch(saved):
    sampler = sampling.load(saved, COUNTS)
    latents = sampling.latents(0, sampling.CHUNK + 3, sampler.latent_size)
    together = sampler.images(Ask(len(latents)))
    for place in (0, sampling.CHUNK - 1, sampling.CHUNK + 2):
        assert np.array_equal(sampler.images(Ask(1, latents=latents[place : place + 1]))[0], together[place])


def test_saving_twice_gives_the_same_bytes_and_loading_gives_the_same_weights(saved, tmp_path):
    again = tmp_path / "again.npz"
    sampling.save(again, "dcgan", sampling.load(saved, COUNTS).network)
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


def test_who_asks_for_none_gets_no_images(saved):
    assert sampling.load(saved, COUNTS).images(Ask(0)).shape == (0, 28, 28)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.npz: no such file"):
        sampling.load(tmp_path / "absent.npz", COUNTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": np.array("vea")}, "of family 'vea'; takes one of: "),
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
        sampling.load(broken, COUNTS)
    assert str(raised.value).startswith(f"{broken}: ")


def test_finite_weights_that_draw_nan_are_refused_by_name(saved, tmp_path):
    huge = tmp_path / "huge.npz"
    weights = {
        name: array if name == "kind" else array * np.float32(1e30) for name, array in read_arrays(saved).items()
    }
    write_arrays(huge, weights)
    with pytest.raises(FormatError, match=r"huge\.npz: draws NaN or infinite pixels"):
        sampling.load(huge, COUNTS)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "headless", "empty"])
def test_a_damaged_file_is_refused(saved, tmp_path, damage):
    whole = saved.read_bytes()
    flipped = whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]
    broken = tmp_path / "broken.npz"
    broken.write_bytes({"truncated": whole[:-100], "flipped": flipped, "headless": b"PK", "empty": b""}[damage])
    with pytest.raises(FormatError, match="not a whole NPZ"):
        sampling.load(broken, COUNTS)


class Recorder(Family):
    """Draws the first latent as the grey of an image and remembers what it was asked for."""

    latent_size = 2

    def __init__(self):
        self.asked = []

    def build_sampled(self, spec, seed, *, plain=False):
        raise NotImplementedError

    build = step = build_sampled

    def sample(self, sampled, latents, classes, sources):
        self.asked.append((latents, classes, sources))
        return np.broadcast_to(np.tanh(latents[:, :1, None, None]), (len(latents), 28, 28, 1))


def test_classes_that_no_one_names_are_drawn_by_the_seed_as_often_as_the_data_has_them():
    drawn = {}
    for seed in (1, 2):
        family = Recorder()
        Sampler(family, None, MNIST).images(Ask(10_000, seed))
        drawn[seed] = np.concatenate([classes for _, classes, _ in family.asked])[:10_000]
    assert drawn[1].dtype == np.int32
    assert not np.array_equal(drawn[1], drawn[2])
    shares = np.bincount(drawn[1], minlength=10) / 10_000
    np.testing.assert_allclose(shares, MNIST.prior, atol=6 * 0.0032)  # of a share of 0.1 the sd is 0.003


def test_what_is_asked_for_reaches_the_family_padded_to_whole_passes():
    family, rng = Recorder(), np.random.default_rng(0)
    classes, sources = rng.integers(0, 10, 300, np.int32), rng.random((300, 28, 28, 1), np.float32)
    latents = rng.standard_normal((300, 2), np.float32)
    images = Sampler(family, None, MNIST).images(Ask(300, classes=classes, sources=sources, latents=latents))
    assert [len(array) for one in family.asked for array in one] == [sampling.CHUNK] * 6
    for place, wanted in enumerate((latents, classes, sources)):
        assert np.array_equal(np.concatenate([one[place] for one in family.asked])[:300], wanted)
    assert np.array_equal(images[:, 0, 0], np.rint((np.tanh(latents[:, 0]) + 1) * 127.5))


def test_a_walk_goes_between_its_ends_within_one_class():
    family, ends = Recorder(), np.random.default_rng(0).standard_normal((3, 2, 2)).astype(np.float32)
    walks = Sampler(family, None, MNIST).walks(ends, 5, seed=7)
    assert walks.shape == (3, 5, 28, 28)
    ((latents, classes, _),) = family.asked
    assert np.array_equal(latents[:15].reshape(3, 5, 2)[:, [0, -1]], ends)
    assert all(len(set(of_walk)) == 1 for of_walk in classes[:15].reshape(3, 5))


def test_a_walk_starts_and_ends_exactly_at_its_latents() -> None:
    start, end = np.random.default_rng(5).standard_normal((2, 100)).astype(np.float32)
    walk = slerp(start, end, 12)
    assert walk.shape == (12, 100)
    assert walk.dtype == np.float32
    np.testing.assert_array_equal(walk[0], start)
    np.testing.assert_array_equal(walk[-1], end)


def test_between_two_unit_vectors_the_walk_stays_on_the_circle_in_even_angles() -> None:
    walk = slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 4)
    angles = np.deg2rad([0, 30, 60, 90])
    np.testing.assert_allclose(walk, np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1e-6)


def test_a_walk_keeps_the_length_of_gaussian_latents_where_a_line_loses_it() -> None:
    start, end = np.random.default_rng(6).standard_normal((2, 100))
    middle = np.linalg.norm(slerp(start, end, 3)[1])
    assert middle == pytest.approx((np.linalg.norm(start) + np.linalg.norm(end)) / 2, rel=1e-5)
    assert np.linalg.norm((start + end) / 2) < 0.8 * middle


@pytest.mark.parametrize("end", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_where_no_single_circle_joins_them_the_walk_is_the_line(end: list[float]) -> None:
    walk = slerp(np.array([1.0, 0.0]), np.array(end), 3)
    np.testing.assert_allclose(walk[1], [(1 + end[0]) / 2, 0], atol=1e-6)


def test_classes_by_share_are_exact_by_the_largest_remainder_and_in_an_order_of_the_seed():
    # Of 10 by (.36, .33, .31): 3.6, 3.3, 3.1, so 3 each and the tenth to the first.
    found = sampling.by_share([0.36, 0.33, 0.31], 10, 0)
    assert np.bincount(found).tolist() == [4, 3, 3]
    assert found.dtype == np.int32
    assert np.array_equal(found, sampling.by_share([36, 33, 31], 10, 0))
    assert not np.array_equal(sampling.by_share([1, 1, 1], 999, 0), sampling.by_share([1, 1, 1], 999, 1))


@pytest.mark.parametrize(("family", "inner"), [("diffusion", "guesser"), ("vae", "velocity")])
def test_whether_a_class_can_be_asked_for_is_told_by_whether_it_was_learned(family, inner):
    sampler = Sampler(families.find(family), families.find(family).build_sampled(MNIST, 0), MNIST)
    assert not sampler.takes_classes
    table = sampler.network.get_layer(inner).get_layer("of_class")
    table.set_weights([np.ones_like(table.get_weights()[0])])
    assert sampler.takes_classes
