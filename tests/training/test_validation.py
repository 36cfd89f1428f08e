"""A look at images by the real rulers: what collapsed sets give, and what real ones do."""

import numpy as np
import pytest

from mnistgan.errors import MetricError
from mnistgan.families import sampling
from mnistgan.families.dcgan import family
from mnistgan.families.dcgan.networks import generator
from mnistgan.metrics.manifold import expected_coverage
from mnistgan.rulers.real import subset
from mnistgan.training.loop import STATISTICS_STREAM
from mnistgan.training.validation import LOOK_SAMPLES, LOOK_STREAM, Validation
from tests.specs import MNIST


@pytest.fixture(scope="module")
def validation(real, network, components):
    return Validation(real.train, real.validation, network, components, seed=0)


@pytest.fixture(scope="module")
def fresh(real):
    """2,000 training images: the rulers have seen them, the validation images have not."""
    return real.train[subset(len(real.train), LOOK_SAMPLES, "train")]


def measured(validation, images):
    return validation.measure(images, epoch=3, step=7)


def test_real_images_make_no_collapsed_look(validation, fresh):
    look = measured(validation, fresh.images)
    assert (look.epoch, look.step) == (3, 7)
    assert look.evidence() == []
    assert look.fid < 3  # 2,000 against 2,000: mostly the bias of so few
    assert look.coverage == pytest.approx(expected_coverage(LOOK_SAMPLES), abs=0.02)
    assert look.repetition < 0.05
    assert look.missing_class == pytest.approx(-np.log(1 - 0.09035), abs=1e-4)  # MNIST's share of fives


def test_one_digit_alone_makes_a_collapsed_look(validation, real):
    sevens = real.train.images[real.train.labels == 7][:LOOK_SAMPLES]
    look = measured(validation, sevens)
    assert look.dropped_classes == "0 1 2 3 4 5 6 8 9"
    assert look.dropped == 9
    assert look.class_divergence == pytest.approx(-np.log(0.1044), abs=0.05)
    assert look.is_collapsed


def test_images_without_one_digit_make_a_collapsed_look(validation, real):
    kept = real.train.images[real.train.labels != 8][:LOOK_SAMPLES]
    assert any(said.startswith("class 8 nearly gone (1 of 10)") for said in measured(validation, kept).evidence())


def test_a_hundred_images_repeated_make_a_collapsed_look(validation, fresh):
    look = measured(validation, np.resize(fresh.images[:100], fresh.images.shape))
    assert look.repetition == 1
    assert look.is_collapsed


def test_a_look_at_a_generator_draws_from_a_stream_of_its_own_the_same_each_time(validation):
    class Remembers:
        seen = ()

        def images(self, ask):
            self.seen = (*self.seen, ask)
            return validation.real.images

    sampler = Remembers()
    first, second = (validation.look(sampler, 1, step) for step in (6, 12))
    assert first.fid == second.fid == pytest.approx(0, abs=1e-9)
    asked, again = sampler.seen
    assert asked.seed == again.seed
    latents = sampling.latents(asked.seed, asked.count, 100)
    assert latents.shape == (LOOK_SAMPLES, 100)
    assert LOOK_STREAM != STATISTICS_STREAM
    drawn = {latent.tobytes() for latent in latents}
    for other in (0, 1, [0, STATISTICS_STREAM]):  # grids, evaluation, BatchNorm
        assert drawn.isdisjoint(latent.tobytes() for latent in sampling.latents(other, LOOK_SAMPLES, 100))


def test_it_compares_with_the_same_2000_of_the_validation_images(validation, real, network, components):
    assert len(validation.real) == LOOK_SAMPLES
    again = Validation(real.train, real.validation, network, components, seed=1)
    assert again.real.digest == validation.real.digest


def test_fewer_validation_images_are_all_taken(real, network, components):
    few = Validation(real.train, real.validation[np.arange(1200)], network, components, seed=0)
    look = few.look(sampling.Sampler(family, generator(0), MNIST), 1, 6)
    assert len(few.real) == 1200
    assert look.is_collapsed
    assert look.fid > 50


def test_too_few_validation_images_are_named(real, network, components):
    with pytest.raises(MetricError, match="validation: got 60 samples of 64 features"):
        Validation(real.train, real.validation[np.arange(60)], network, components, seed=0)
