import pytest
import torch

from mmtad.models import TADDataPreprocessor
from mmtad.registry import MODELS
from mmtad.structures import TADDataSample

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def frames(seed=0, shape=(3, 4, 5, 6)):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def test_frames_are_normalised_and_stacked():
    clips = [frames(0), frames(1, (4, 5, 6, 3)).permute(3, 0, 1, 2)]  # as a worker packs them
    before = [clip.clone() for clip in clips]
    masks = [torch.ones(4, dtype=torch.bool), torch.tensor([True, True, False, False])]
    samples = [TADDataSample(metainfo=dict(video_id=name)) for name in "ab"]
    batch = MODELS.build(dict(type="TADDataPreprocessor"))(
        dict(inputs=clips, masks=masks, data_samples=samples)
    )
    assert batch["inputs"].shape == (2, 3, 4, 5, 6) and batch["inputs"].dtype == torch.float32
    for clip, found in zip(clips, batch["inputs"], strict=True):
        for channel in range(3):
            expected = (clip[channel].float() - MEAN[channel]) / STD[channel]
            torch.testing.assert_close(found[channel], expected)
    assert torch.equal(batch["masks"], torch.stack(masks))
    assert [sample.video_id for sample in batch["data_samples"]] == ["a", "b"]
    assert all(torch.equal(a, b) for a, b in zip(before, clips, strict=True))


def test_stacked_frames_and_no_normalisation():
    preprocessor = TADDataPreprocessor(mean=None, std=None)
    stacked = torch.stack([frames(0), frames(1)])
    batch = preprocessor(dict(inputs=stacked, masks=torch.ones(2, 2, dtype=torch.bool)))
    assert torch.equal(batch["inputs"], stacked.float()) and batch["data_samples"] is None
    assert not preprocessor.state_dict()


def test_features_are_padded():
    features = [torch.randn(8, 5), torch.randn(8, 7)]
    masks = [torch.ones(5, dtype=torch.bool), torch.arange(7) < 6]
    batch = TADDataPreprocessor(pad_divisor=4)(dict(inputs=features, masks=masks))
    assert batch["inputs"].shape == (2, 8, 8) and batch["masks"].shape == (2, 8)
    assert (
        torch.equal(batch["inputs"][0, :, :5], features[0]) and not batch["inputs"][0, :, 5:].any()
    )
    assert batch["masks"].sum(dim=1).tolist() == [5, 6]
    batch = TADDataPreprocessor()(dict(inputs=features))
    assert batch["masks"].sum(dim=1).tolist() == [5, 7] and batch["inputs"].shape[-1] == 7


@pytest.mark.parametrize(
    "data, message",
    [
        (dict(inputs=[]), "the batch is empty"),
        (dict(inputs=[frames()]), "needs masks"),
        (
            dict(inputs=[frames(), frames(0, (3, 4, 5, 7))], masks=[torch.ones(4)] * 2),
            r"inputs of a batch must have one shape, got \[\(3, 4, 5, 6\), \(3, 4, 5, 7\)\]",
        ),
        (dict(inputs=[frames(0, (2, 4, 5, 6))], masks=[torch.ones(4)]), "frames have 2 channels"),
        (dict(inputs=[torch.zeros(8, 3), torch.zeros(9, 3)]), "one number of channels"),
        (dict(inputs=[torch.zeros(8, 3)], masks=[torch.ones(2)]), r"of \[3\] steps have masks"),
    ],
)
def test_shapes_that_do_not_fit(data, message):
    with pytest.raises(ValueError, match=message):
        TADDataPreprocessor()(data)


@pytest.mark.parametrize(
    "options", [dict(mean=None), dict(std=(1, 2)), dict(std=(1, 0, 1)), dict(pad_divisor=0)]
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="got"):
        TADDataPreprocessor(**options)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_moves_to_the_device():
    batch = TADDataPreprocessor().cuda()(dict(inputs=[frames()], masks=[torch.ones(4).bool()]))
    assert batch["inputs"].is_cuda and batch["masks"].is_cuda
