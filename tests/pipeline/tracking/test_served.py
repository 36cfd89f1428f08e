"""The registered model answers what it is asked, or says in one sentence why not."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from mnistgan import exporting
from mnistgan.families import sampling
from mnistgan.families.contract import Ask, Spec
from mnistgan.families.sampling import Sampler
from pipeline.tracking.failures import speaking_plainly
from tests.families.toy import Toy
from tests.specs import MNIST

with speaking_plainly():  # MLflow warns of its own code when that is imported
    from pipeline.tracking import served

LATENTS = sampling.latents(3, 2, 100)


class Small(Toy):
    """One layer of a latent's numbers and one of the class, quick to trace."""

    latent_size = 100

    def build_sampled(self, spec: Spec, seed: int, *, plain: bool = False) -> keras.Model:
        keras.utils.set_random_seed(seed)
        latents, classes = keras.Input((100,)), keras.Input((), dtype="int32")
        pixels = keras.layers.Dense(784)(latents) + keras.layers.Embedding(10, 784, "normal")(classes)
        return keras.Model([latents, classes], keras.layers.Reshape((28, 28, 1))(keras.ops.tanh(pixels)))

    def sample(self, sampled: keras.Model, latents: Any, classes: Any, sources: Any) -> Any:
        return sampled([latents, classes])

    def takes_classes(self, sampled: keras.Model) -> bool:
        return True


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    family = Small()
    return Sampler(family, family.build_sampled(MNIST, 0), MNIST)


@pytest.fixture(scope="module")
def model(sampler: Sampler, tmp_path_factory: pytest.TempPathFactory) -> served.Generator:
    """A generator that takes classes, loaded from its graph."""
    folder = tmp_path_factory.mktemp("model") / "graph"
    exporting.write_saved_model(sampler, folder, {"family": "small"})
    return served.Generator().load(folder)


def ask(model: served.Generator, given: Any = (), **params: Any) -> Any:
    return model.predict(None, given, params)


def test_a_count_and_a_seed_give_the_images_that_generate_gives(model: served.Generator, sampler: Sampler) -> None:
    drawn = ask(model, count=5, seed=7)
    assert (drawn.dtype, drawn.shape) == (np.uint8, (5, 28, 28))
    assert np.abs(drawn.astype(int) - sampler.images(Ask(5, 7))).max() <= 1
    np.testing.assert_array_equal(drawn, ask(model, count=5, seed=7))
    assert (drawn != ask(model, count=5, seed=8)).any()


def test_one_class_is_of_all_and_several_are_of_one_image_each(model: served.Generator, sampler: Sampler) -> None:
    sevens, each = ask(model, count=3, classes=[7]), ask(model, classes=[7, 1, 7])
    expected = sampler.images(Ask(3, 0, np.array([7, 1, 7], np.int32)))
    assert np.abs(each.astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(sevens[[0, 2]], each[[0, 2]])
    assert (sevens[1] != each[1]).any()


def test_latents_are_drawn_as_they_are_given(model: served.Generator, sampler: Sampler) -> None:
    drawn = ask(model, LATENTS, classes=[1, 2])
    expected = sampler.images(Ask(2, latents=LATENTS, classes=np.array([1, 2], np.int32)))
    assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_a_png_is_a_grid_of_the_same_images_with_black_after_the_last(model: served.Generator) -> None:
    content = base64.b64decode(ask(model, count=3, format="png"))
    grid = np.asarray(Image.open(io.BytesIO(content)))
    images = ask(model, count=3)
    np.testing.assert_array_equal(grid, np.block([[images[0], images[1]], [images[2], np.zeros((28, 28), np.uint8)]]))


def test_more_images_than_a_pass_has_go_on_where_fewer_end(model: served.Generator) -> None:
    more = ask(model, count=served.CHUNK + 2, classes=[0]).astype(int)
    assert len(more) == served.CHUNK + 2
    assert np.abs(more[:2] - ask(model, count=2, classes=[0])).max() <= 1


def edited(value: float) -> np.ndarray:
    latents = LATENTS.astype(np.float64)
    latents[1, 2] = value
    return latents


REFUSED = {
    "NaN": ((edited(np.nan),), {}, "latents: 1 of 200 numbers are NaN or infinite; takes finite float32"),
    "infinite": ((edited(np.inf),), {}, "latents: 1 of 200 numbers are NaN or infinite; takes finite float32"),
    "beyond float32": ((edited(1e300),), {}, "latents: 1 of 200 numbers are NaN or infinite; takes finite float32"),
    "wrong size": ((LATENTS[:, :9],), {}, "latents: shape [2, 9]; takes [N, 100]"),
    "flat": ((LATENTS[0],), {}, "latents: shape [100]; takes [N, 100]"),
    "ragged": (([[1.0], [1.0, 2.0]],), {}, "latents: rows of different lengths; takes [N, 100]"),
    "words": ((["seven"],), {}, "latents: hold what is no number; takes [N, 100], or [] for latents drawn by the seed"),
    "no images": ((), {"count": 0}, "count: 0 images; takes 1 to 10000"),
    "too many": ((), {"count": 10_001}, "count: 10001 images; takes 1 to 10000"),
    "other count": ((LATENTS,), {"count": 3}, "count: got 3 with 2 latents; leave it out, or give as many"),
    "seed": ((), {"seed": -1}, "seed: got -1; takes 0 to 2147483647"),
    "no such class": ((), {"classes": [10]}, "classes: got 10; takes 0 to 9"),
    "classes": ((), {"count": 3, "classes": [1, 2]}, "classes: got 2 for 3 images; takes one for all, or one for each"),
    "format": ((), {"format": "jpeg"}, "format: got 'jpeg'; takes array or png"),
}


@pytest.mark.parametrize(("given", "params", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_taken_is_refused_in_one_sentence(
    model: served.Generator, given: tuple[Any, ...], params: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(served.Refused) as refused:
        ask(model, *given, **params)
    assert refused.value.message == sentence
    assert refused.value.get_http_status_code() == 400


def test_weights_that_take_no_classes_are_not_asked_for_any(tmp_path: Path) -> None:
    family = Toy()
    exporting.write_saved_model(Sampler(family, family.build_sampled(MNIST, 0), MNIST), tmp_path, {"family": "toy"})
    classless = served.Generator().load(tmp_path)
    assert ask(classless, count=2).shape == (2, 28, 28)
    with pytest.raises(served.Refused, match="classes: these weights of the family toy can't be asked for a class"):
        ask(classless, classes=[7])


def test_mlflows_server_puts_no_input_before_a_refusal(model: served.Generator) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel, scoring_server

    class Asked:
        def predict(self, data: Any, params: Any = None) -> Any:
            return model.predict(None, data, params)

    def answer(**body: Any) -> Any:
        asked = PyFuncModel(Model(signature=served.SIGNATURE), Asked())
        return scoring_server.invocations(json.dumps(body), "application/json", asked, None)

    answered = answer(inputs=[], params={"count": 2, "classes": [7], "format": "png"})
    assert base64.b64decode(json.loads(answered.response)["predictions"]).startswith(b"\x89PNG")
    with pytest.raises(MlflowException) as refused:
        answer(inputs=[[0.123456] * 99])
    assert refused.value.message == "latents: shape [1, 99]; takes [N, 100]"
