import pytest
import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.registry import MODELS
from mmtad.structures import TADDataSample, TemporalGrid

HEAD = dict(
    type="ActionFormerHead",
    num_classes=3,
    in_channels=8,
    feat_channels=8,
    point_generator=dict(
        type="PointGenerator", strides=(1, 2, 4), regression_ranges=((0, 4), (4, 8), (8, 10000))
    ),
)
PROJECTION = dict(
    type="ConvTransformerProjection",
    in_channels=6,
    out_channels=8,
    arch=(2, 1, 2),
    num_heads=2,
    window=5,
    drop_path=0.0,
)
NECKS = [
    dict(type="FPNIdentity", channels=8, num_levels=3),
    dict(type="FPN1D", in_channels=8, out_channels=8, num_levels=3),
]


def build(randomise=False, **kwargs):
    torch.manual_seed(0)
    model = MODELS.build(
        dict(type="TADDetector", head=HEAD, projection=PROJECTION, **{"neck": NECKS[0], **kwargs})
    )
    if randomise:
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def sample(*segments, length=20):
    data = TADDataSample(
        metainfo=dict(
            video_id="v", window_index=0, grid=TemporalGrid(1.0, 0.5, length, duration=8.0)
        )
    )
    data.gt_instances = InstanceData(
        segments=torch.tensor([s[:2] for s in segments]).float().reshape(-1, 2),
        labels=torch.tensor([s[2] for s in segments]).long(),
    )
    return data


@pytest.mark.parametrize("neck", NECKS)
def test_batch_of_one_equals_padded_batch(neck):
    model = build(neck=neck, randomise=True).double().eval()
    generator = torch.Generator().manual_seed(2)
    lengths = [19, 30, 7]
    videos = [torch.randn(6, n, generator=generator, dtype=torch.float64) for n in lengths]
    x = torch.full((3, 6, 32), torch.nan, dtype=torch.float64)
    for target, video in zip(x, videos, strict=True):
        target[:, : video.shape[1]] = video
    mask = torch.arange(32) < torch.tensor(lengths)[:, None]
    batch = model(x, mask)
    for index, video in enumerate(videos):
        alone = model(video[None], torch.ones(1, video.shape[1], dtype=torch.bool))
        for a, b in zip([*alone[0], *alone[1]], [*batch[0], *batch[1]], strict=True):
            assert_close(b[index : index + 1, :, : a.shape[-1]], a)


@pytest.mark.parametrize("neck", [None, *NECKS])
@pytest.mark.parametrize("segments", [[], [(3, 9, 1)]])
def test_every_parameter_is_used_in_training(neck, segments):
    model = build(neck=neck)
    x, mask = torch.randn(2, 6, 20), torch.ones(2, 20, dtype=torch.bool)
    losses = model(x, mask, [sample(*segments), sample()], mode="loss")
    total, _ = model.parse_losses(losses)
    assert_close(total, sum(losses.values()))
    total.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_predictions_are_in_seconds():
    model = build().eval()
    x, mask = torch.randn(1, 6, 20), torch.ones(1, 20, dtype=torch.bool)
    (result,) = model(x, mask, [sample()], mode="predict")
    found = result.pred_instances
    (raw,) = model.head.predict(*model.extract_features(x, mask))
    assert_close(found.segments, raw.segments * 0.5 + 1)
    assert_close(found.scores, raw.scores)
    assert found.labels.dtype == torch.int64 and result.video_id == "v"


class Encoder(BaseModule):
    """Averages colour and space, then interpolates in time."""

    def forward(self, frames, length):
        x = frames.mean((3, 4)).repeat(1, 2, 1)
        return torch.nn.functional.interpolate(x, size=length)


def test_backbone_gets_frames_and_the_length():
    MODELS.register_module(name="_TestEncoder", module=Encoder, force=True)
    model = build(backbone=dict(type="_TestEncoder"))
    frames, mask = torch.randn(1, 3, 16, 4, 4), torch.ones(1, 8, dtype=torch.bool)
    assert [x.shape[-1] for x in model(frames, mask).class_logits] == [8, 4, 2]
    with pytest.raises(ValueError, match=r"frames \[B, C, T, H, W\].*\(1, 6, 20\)"):
        model(torch.zeros(1, 6, 20), mask)


def test_wrong_calls_are_named():
    model = build()
    x, mask = torch.randn(1, 6, 20), torch.ones(1, 20, dtype=torch.bool)
    with pytest.raises(ValueError, match="'train'"):
        model(x, mask, mode="train")
    with pytest.raises(ValueError, match="data_samples"):
        model(x, mask, mode="loss")
    with pytest.raises(ValueError, match="features"):
        model(x[..., None, None], mask)
