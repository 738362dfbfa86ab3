"""SP-TAD as a whole detector: on stages of a backbone, from raw frames and on features."""

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.models.heads.sparse_proposal_head import SparseOutputs
from mmtad.registry import MODELS
from mmtad.structures import TADDataSample, TemporalGrid, segment_iou, segment_to_centerwidth

CHANNELS = [2, 3, 4]
STAGE = dict(num_heads=2, hidden_channels=16, dynamic_channels=4, soi_steps=4)


class Stages(BaseModule):
    """Frames ``[B, 9, T, 1, 1]`` as three stages of T / 2, T / 4 and T / 8 steps."""

    def forward(self, frames, length, prepare=None):
        parts = frames.flatten(2).split(CHANNELS, dim=1)
        return [part[..., :: 2 ** (s + 1)] for s, part in enumerate(parts)]


@pytest.fixture(autouse=True)
def register():
    MODELS.register_module(name="_TestStages", module=Stages, force=True)


def head(channels=CHANNELS, **kwargs):
    options = dict(type="SparseProposalHead", num_classes=3, num_proposals=8, num_stages=2)
    options.update(embed_dims=16, stage=STAGE, clip_classifier=dict())
    return options | dict(pyramid=dict(in_channels=channels)) | kwargs


def build(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(type="TADDetector", **kwargs))


def sample(*actions, length=32):
    """Grid from 1 s in steps of 0.5 s."""
    grid = TemporalGrid(origin=1.0, step=0.5, length=length, duration=20.0)
    data = TADDataSample(metainfo=dict(video_id="v", window_index=0, grid=grid))
    rows = torch.tensor(actions, dtype=torch.float64).reshape(-1, 3)
    data.gt_instances = InstanceData(segments=rows[:, :2], labels=rows[:, 2].long())
    return data


def frames(length, valid, value=torch.nan):
    x = torch.full((1, 9, length, 1, 1), value, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    kept = torch.randn(64, 9, generator=generator, dtype=torch.float64)[:valid]
    x[0, :, :valid, 0, 0] = kept.T
    return x, torch.arange(length)[None] < valid


def test_stages_go_to_the_head_with_masks_of_their_lengths():
    model = build(backbone=dict(type="_TestStages"), head=head()).double()
    x, mask = frames(32, 19)
    stages, masks = model.extract_features(x, mask)
    assert [s.shape for s in stages] == [(1, 2, 16), (1, 3, 8), (1, 4, 4)]
    # 19 frames reach into the 10th pair, the 5th four and the 3rd eight.
    assert [m.sum().item() for m in masks] == [10, 5, 3]


def test_a_pyramid_may_be_the_projection():
    pyramid = dict(type="StagePyramid", in_channels=CHANNELS, out_channels=16)
    points = dict(type="PointGenerator", num_levels=4)
    dense = dict(type="ActionFormerHead", num_classes=3, in_channels=16, feat_channels=8)
    model = build(
        backbone=dict(type="_TestStages"),
        projection=pyramid,
        head=dict(dense, point_generator=points),
    ).double()
    x, mask = frames(32, 32)
    assert [y.shape[-1] for y in model(x, mask).class_logits] == [16, 8, 4, 2]
    losses = model(x, mask, [sample((4, 12, 1))], mode="loss")
    assert all(loss.isfinite() for loss in losses.values())


def test_frames_in_and_seconds_out():
    """The first stage has half the steps of the grid: a step of it is two grid units."""
    model = build(backbone=dict(type="_TestStages"), head=head()).double().eval()
    x, mask = frames(32, 32)
    stages, masks = model.extract_features(x, mask)
    (raw,) = model.head.predict(stages, masks)
    (found,) = model(x, mask, [sample()], mode="predict")
    assert_close(found.pred_instances.segments, raw.segments * 2 * 0.5 + 1)
    halved = InstanceData(segments=torch.tensor([[2.0, 6.0]]).double(), labels=torch.tensor([1]))
    expected = model.head.loss(stages, masks, [halved])
    assert_close(model(x, mask, [sample((4, 12, 1))], mode="loss"), expected)


@pytest.mark.parametrize("valid", [(32, 32), (32, 21), (31, 31), (25, 18)])
def test_what_the_proposals_are_taught_comes_back_in_seconds(valid, monkeypatch):
    """Targets of a window, given as its predictions; also where pairs of frames do not fill it."""
    length, seen = valid
    model = build(backbone=dict(type="_TestStages"), head=head(clip_classifier=None)).eval()
    x, mask = frames(length, seen)
    actions = [(2.3, 9.1, 0), (2.3, 9.1, 2), (7.0, seen - 0.5, 1), (0.0, seen, 2)]
    data, targets = sample(*actions, length=length), []
    monkeypatch.setattr(
        model.head.criterion, "forward", lambda classes, segments, found: targets.extend(found)
    )
    model.float()(x.float(), mask, [data], mode="loss")
    (target,) = targets
    given = SparseOutputs(
        class_logits=[(40 * target.labels - 20)[None]],
        segments=[segment_to_centerwidth(target.segments)[None]],
        memory=x,
        mask=mask,
    )
    monkeypatch.setattr(model.head, "forward", lambda features, masks: given)
    (found,) = model(x.float(), mask, [data], mode="predict")
    found = found.pred_instances[found.pred_instances.scores > 0.5]
    rows = torch.cat([found.segments, found.labels[:, None]], dim=1).tolist()
    expected = [[1 + start / 2, 1 + end / 2, label] for start, end, label in sorted(actions)]
    assert_close(torch.tensor(sorted(rows)), torch.tensor(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("length", [24, 25, 27, 32, 56])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -1e30])
def test_padding_never_matters(length, value):
    """24 valid frames, alone or followed by anything: losses, gradients and detections."""

    def step(length, value):
        model = build(backbone=dict(type="_TestStages"), head=head()).double()
        x, mask = frames(length, 24, value)
        data = sample((2, 9, 0), (7, 23, 2), length=length)
        losses = model(x, mask, [data], mode="loss")
        total = sum(v for k, v in losses.items() if "loss" in k)
        gradients = torch.autograd.grad(total, list(model.parameters()))
        found = model.eval()(x, mask, [data], mode="predict")[0].pred_instances
        return losses, gradients, (found.segments, found.scores, found.labels)

    alone, padded = step(24, 0.0), step(length, value)
    assert len(alone[2][0]) > 10
    assert_close(padded, alone)


PATH = dict(type="resnet3d", depth=18, norm_eval=True)
BACKBONES = dict(
    slowfast=dict(
        type="mmaction.ResNet3dSlowFast",
        slow_pathway=dict(
            PATH, base_channels=16, lateral=True, conv1_kernel=(1, 7, 7), inflate=(0, 0, 1, 1)
        ),
        fast_pathway=dict(PATH, base_channels=2, lateral=False, conv1_kernel=(5, 7, 7)),
    ),
    videoswin=dict(
        type="mmaction.SwinTransformer3D",
        arch=dict(embed_dims=8, depths=[1] * 4, num_heads=[1] * 4),
        window_size=(2, 2, 2),
        pretrained2d=False,
    ),
    i3d=dict(type="TwoStreamI3D"),
)


@pytest.mark.parametrize("kind", BACKBONES)
def test_from_raw_frames(kind):
    """uint8 frames, normalised when the encoder asks for them: a step of training and a window."""
    if kind != "i3d":
        pytest.importorskip("mmaction")
    colours = 5 if kind == "i3d" else 3
    channels = dict(slowfast=[36, 72, 144], videoswin=[16, 32, 64], i3d=[960, 1664, 2048])[kind]
    encoder = dict(type="StageEncoder", backbone=BACKBONES[kind], step_frames=2)
    cleaner = dict(type="TADDataPreprocessor", mean=[127.5] * colours, std=[127.5] * colours)
    model = build(
        backbone=encoder,
        head=head(channels),
        data_preprocessor=dict(cleaner, defer_normalization=True),
    )
    model.init_weights()
    assert list(model.backbone.out_channels) == channels
    clip = torch.randint(256, (colours, 32, 32, 32), dtype=torch.uint8)
    data = dict(
        inputs=[clip, clip.flip(1)],
        masks=[torch.arange(32) < 32, torch.arange(32) < 21],
        data_samples=[sample((4, 12, 1)), sample()],
    )
    losses = model.train()(**model.data_preprocessor(data, True), mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    assert total.isfinite()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
    model.eval()
    with torch.no_grad():
        found = model(**model.data_preprocessor(data, False), mode="predict")
        scores = [x.pred_instances.scores for x in found]
        assert all(x.pred_instances.segments.isfinite().all() for x in found)
        at_once = model(**MODELS.build(cleaner)(data), mode="predict")
    assert_close([x.pred_instances.scores for x in at_once], scores)


def test_behind_an_encoder_without_stages():
    """A plain transformer has one stage; convolutions make three of its features."""
    pytest.importorskip("mmaction")
    vit = dict(type="mmaction.VisionTransformer", img_size=32, embed_dims=16, depth=1, num_heads=2)
    encoder = dict(type="VideoEncoder", backbone=dict(vit, num_frames=16), adapter=dict(type="TIA"))
    stages = dict(type="FeatureStages", in_channels=16, out_channels=8)
    model = build(backbone=encoder, projection=stages, head=head([8] * 3))
    x, mask = torch.randn(1, 3, 32, 32, 32), torch.ones(1, 32, dtype=torch.bool)
    assert [s.shape for s in model.extract_features(x, mask)[0]] == [(1, 8, n) for n in (32, 16, 8)]
    losses = model(x, mask, [sample((4, 12, 1))], mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_a_tiny_sample_is_learnt():
    """Two windows of four actions on features: found at their places, with their classes, first."""
    stages = dict(type="FeatureStages", in_channels=6, out_channels=16)
    model = build(projection=stages, head=head([16] * 3, num_stages=3))
    torch.manual_seed(1)
    x, mask = torch.randn(2, 6, 32), torch.ones(2, 32, dtype=torch.bool)
    truth = [sample((3, 9, 0), (20, 31, 1)), sample((5, 7, 2), (8, 24, 0))]
    for data in truth:  # something that can be seen
        data.gt_instances.segments = data.gt_instances.segments.float()
    for window, data in zip(x, truth, strict=True):
        for (start, end), label in zip(
            data.gt_instances.segments.int().tolist(),
            data.gt_instances.labels.tolist(),
            strict=True,
        ):
            window[label, start:end] += 3
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=400)
    for _ in range(400):
        losses = model(x, mask, truth, mode="loss")
        total, _ = model.parse_losses(losses)
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        found = model.eval().head.predict(*model.extract_features(x, mask))
    for result, data in zip(found, truth, strict=True):
        best = result[:2]
        order = best.segments[:, 0].argsort()
        assert best.labels[order].tolist() == data.gt_instances.labels.tolist()
        overlap = segment_iou(best.segments[order], data.gt_instances.segments, aligned=True)
        assert overlap.min() > 0.9
        assert best.scores.min() > 0.5 > result.scores[2]
