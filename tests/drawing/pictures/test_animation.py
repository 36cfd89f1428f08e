import io

import numpy as np
from PIL import Image

from mnistgan.drawing import grids
from mnistgan.drawing.pictures import digits, encoding

DIGEST = "fedcba9876543210" * 4
EPOCHS = (0, 5, 10, 15)


def gif() -> bytes:
    rng = np.random.default_rng(3)
    some = {epoch: grids.tile(rng.integers(0, 256, (256, 28, 28), np.uint8), 16) for epoch in EPOCHS}
    return encoding.gif(digits.frames(some), [250, 250, 250, 1000], DIGEST)


def test_the_animation_has_a_frame_an_epoch_each_as_long_as_asked() -> None:
    with Image.open(io.BytesIO(gif())) as picture:
        assert picture.n_frames == len(EPOCHS)
        durations = []
        for number in range(picture.n_frames):
            picture.seek(number)
            durations.append(picture.info["duration"])
    assert durations == [250, 250, 250, 1000]


def test_the_animation_loops_and_its_comment_names_the_weights() -> None:
    with Image.open(io.BytesIO(gif())) as picture:
        assert picture.info["loop"] == 0
        assert picture.info["comment"] == f"generator-sha256 {DIGEST}".encode()


def test_the_same_grids_give_the_same_animation_to_the_byte() -> None:
    assert gif() == gif()


def test_two_epochs_with_the_same_grid_are_still_two_frames_told_apart_by_their_labels() -> None:
    black = np.zeros((448, 448), np.uint8)
    first, second = digits.frames({1: black, 2: black})
    heads = [np.asarray(frame)[: frame.height - 464] for frame in (first, second)]
    assert (heads[0] != heads[1]).any()
    np.testing.assert_array_equal(np.asarray(first)[-464:], np.asarray(second)[-464:])


def test_a_frame_shows_its_grid_twice_as_large() -> None:
    grid = grids.tile(np.random.default_rng(4).integers(0, 256, (256, 28, 28), np.uint8), 16)
    (frame,) = digits.frames({0: grid})
    np.testing.assert_array_equal(np.asarray(frame)[-912:-16:2, 16:912:2], grid)
