import numpy as np
import pytest

from mmtad.datasets.transforms import Clip, RandAugment
from mmtad.datasets.transforms.clip import FILL
from mmtad.datasets.transforms.randaugment import OPERATIONS


def augment(frames, seed, **kwargs):
    results = dict(frames=frames, rng=np.random.default_rng(seed))
    return RandAugment(**kwargs)(results)["frames"].numpy()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_each_operation(still, name, sign):
    for strength in (0.0, 0.5, 1.0):
        clip = Clip.of(still)
        OPERATIONS[name](clip, strength, sign)
        found = clip.numpy()
        assert found.shape == still.shape and found.dtype == np.uint8
        assert (found == found[:1]).all()
        if strength == 0 and name not in ("autocontrast", "equalize"):
            assert np.abs(found.astype(int) - still).max() <= 1
    assert name == "identity" or not np.array_equal(found, still)


def test_translation_by_hand(still):
    clip = Clip.of(still)
    OPERATIONS["translate_x"](clip, 1.0, 1.0)  # 0.2 of 60 pixels
    found = clip.numpy()
    assert np.array_equal(found[:, :, :48], still[:, :, 12:])
    assert (found[:, :, 49:] == FILL).all()


def test_shear_moves_rows_in_proportion(still):
    marked = np.zeros_like(still)
    marked[:, :, 30] = 255
    clip = Clip.of(marked)
    OPERATIONS["shear_x"](clip, 1.0, 1.0)
    columns = clip.numpy()[0, ..., 0].argmax(axis=1)
    assert columns[20] in (30, 29)
    assert np.allclose(np.diff(columns[2:-2]), -0.3, atol=0.71)
    assert abs((columns[35] - columns[5]) + 0.3 * 30) <= 1


def test_deterministic_and_different(still):
    for seed in range(10):
        assert np.array_equal(augment(still, seed), augment(still, seed))
    assert len({augment(still, seed).tobytes() for seed in range(20)}) > 12


def test_draws_every_operation(still):
    drawn = set()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        drawn |= set(rng.choice(list(OPERATIONS), size=2, replace=False).tolist())
    assert drawn == set(OPERATIONS)


def test_off(still):
    assert np.array_equal(augment(still, 0, num_ops=0), still)
    assert np.array_equal(augment(still, 0, prob=0), still)
    assert np.array_equal(augment(still, 0, operations=["identity"], num_ops=1), still)


def test_noise_on_the_magnitude(still):
    options = dict(operations=["brightness"], num_ops=1, magnitude=5)
    plain = {augment(still, seed, **options).tobytes() for seed in range(20)}
    noisy = {augment(still, seed, magnitude_std=1, **options).tobytes() for seed in range(20)}
    assert len(plain) == 2 and len(noisy) > 10


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(operations=["cutout"]), r"unknown operations \['cutout'\]; RandAugment has"),
        (dict(magnitude=11), "magnitude lies in .* got 11"),
        (dict(num_ops=3, operations=["rotate"]), "num_ops must lie between 0 and 1, got 3"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        RandAugment(**options)
