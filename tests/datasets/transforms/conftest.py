import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def picture(rng):
    """One smooth picture, 40 x 60 pixels."""
    import cv2

    coarse = rng.integers(0, 255, (5, 7, 3), dtype=np.uint8)
    return cv2.resize(coarse, (60, 40), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def still(picture):
    """A clip of identical frames, uint8 [6, 40, 60, 3]."""
    return np.repeat(picture[None], 6, axis=0)


@pytest.fixture
def sample(still, rng):
    return dict(frames=still, rng=rng)
