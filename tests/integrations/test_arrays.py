"""OpenCV, Pillow and scikit-image get the frame's own memory, not a copy."""

from __future__ import annotations

import numpy as np
import pytest

import ffzero
from ffzero.integrations.pillow import image_of


def test_numpy_gets_no_copy(movie: ffzero.Movie) -> None:
    frame = movie.frame_at(1)
    assert np.shares_memory(np.asarray(frame), frame.array)
    assert np.shares_memory(np.from_dlpack(frame), frame.array)
    planes = movie.frame_at(1, format="yuv")
    assert planes.y.__array_interface__["data"][0] == planes.video_frame.planes[0].buffer_ptr


def test_opencv_draws_into_the_frame(movie: ffzero.Movie) -> None:
    cv2 = pytest.importorskip("cv2")
    frame = movie.frame_at(1, format="bgr24")
    pixels = np.ascontiguousarray(frame.array)
    assert np.shares_memory(pixels, frame.array)  # rows of this width have no padding
    drawn = cv2.rectangle(pixels, (10, 10), (20, 20), (1, 2, 3), -1)
    assert np.shares_memory(drawn, frame.array)
    assert frame.array[15, 15].tolist() == [1, 2, 3]


def test_opencv_takes_luma_without_a_copy(movie: ffzero.Movie) -> None:
    cv2 = pytest.importorskip("cv2")
    luma = movie.frame_at(1, format="gray").array
    assert cv2.Laplacian(luma, cv2.CV_16S).shape == (108, 192)
    assert cv2.mean(luma)[0] == pytest.approx(luma.mean())


@pytest.mark.parametrize("form", ["gray", "rgba", "rgb0"])
@pytest.mark.parametrize("size", [None, "100x"])  # rows of 100 pixels are padded
def test_pillow_shares_memory(movie: ffzero.Movie, form: str, size: str | None) -> None:
    pytest.importorskip("PIL")
    frame = movie.frame_at(1, format=form, size=size)
    image = image_of(frame)
    assert image.size == (frame.width, frame.height)
    assert np.array_equal(np.asarray(image), frame.array)
    frame.array[5, 7] = 99
    found = image.getpixel((7, 5))
    assert found == 99 if form == "gray" else set(found) == {99}


def test_pillow_copies_rgb(movie: ffzero.Movie) -> None:
    pytest.importorskip("PIL")
    frame = movie.frame_at(1, size="100x")
    assert np.array_equal(np.asarray(image_of(frame)), frame.array)
    with pytest.raises(ffzero.UsageError, match="not made of bgr24"):
        image_of(movie.frame_at(1, format="bgr24"))


def test_scikit_image_reads_it_in_place(movie: ffzero.Movie) -> None:
    util = pytest.importorskip("skimage.util")
    frame = movie.frame_at(1)
    assert np.shares_memory(util.img_as_ubyte(frame.array), frame.array)
    assert np.shares_memory(util.view_as_blocks(frame.array, (4, 4, 3)), frame.array)
