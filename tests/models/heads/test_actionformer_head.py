import pytest
import torch
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.models.heads import ActionFormerHead

POINTS = dict(
    type="PointGenerator", strides=(1, 2, 4), regression_ranges=((0, 4), (4, 8), (8, 10000))
)


def build(**kwargs):
    torch.manual_seed(0)
    options = dict(num_classes=4, in_channels=8, feat_channels=8, point_generator=POINTS)
    return ActionFormerHead(**{**options, **kwargs})


def pyramid(batch=2, total=16, valid=(16, 9), dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    features, masks = [], []
    for level in range(3):
        length = -(-total // 2**level)
        steps = -(-torch.tensor(valid) // 2**level)
        mask = torch.arange(length) < steps[:, None]
        x = torch.randn(batch, 8, length, generator=generator).to(dtype)
        features.append(x * mask[:, None])
        masks.append(mask)
    return features, masks


def truth(*samples):
    return [
        InstanceData(
            segments=torch.tensor([s[:2] for s in sample]).float().reshape(-1, 2),
            labels=torch.tensor([s[2] for s in sample]).long(),
        )
        for sample in samples
    ]


def test_every_parameter_gets_a_finite_gradient():
    head = build()
    losses = head.loss(*pyramid(), truth([(2, 7, 1), (1, 15, 3)], [(3, 5, 0)]))
    assert set(losses) == {"loss_cls", "loss_reg"}
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize("weight", [1.0, "auto"])
def test_no_ground_truth_at_all(weight):
    head = build(loss_weight=weight)
    losses = head.loss(*pyramid(), truth([], []))
    assert float(losses["loss_cls"].detach()) > 0 and float(losses["loss_reg"].detach()) == 0
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


def test_targets_in_the_padding_do_not_count():
    head = build().eval()
    inside = head.loss(*pyramid(), truth([(2, 7, 1)], []))
    beyond = head.loss(*pyramid(), truth([(2, 7, 1)], [(11, 15, 2)]))
    assert inside == beyond


def test_starts_with_the_prior():
    head = build(empty_classes=[3])
    features = [torch.zeros_like(x) for x in pyramid()[0]]
    logits = head(features, pyramid()[1]).class_logits[0]
    assert_close(logits[0, :, 0].sigmoid(), torch.tensor([0.01, 0.01, 0.01, 1e-6]))


def test_offsets_start_open():
    head = build(offset_bias=1.0)
    torch.nn.init.zeros_(head.reg_out.weight)
    features, masks = pyramid()
    for offsets, mask in zip(head(features, masks).offsets, masks, strict=True):
        assert torch.equal(offsets, mask[:, None].expand_as(offsets).float())
    assert not build().reg_out.bias.any()


def test_losses_are_float32_under_autocast():
    head = build()
    features, masks = pyramid()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = head(features, masks)
        losses = head.loss(features, masks, truth([(2, 7, 1)], []))
        found = head.predict(features, masks)
    assert outputs.class_logits[0].dtype == torch.bfloat16
    assert all(x.dtype == torch.float32 for x in losses.values())
    assert found[0].scores.dtype == found[0].segments.dtype == torch.float32


def test_predict_leaves_padding_out():
    head = build(min_duration=-1.0)
    full, short = head.predict(*pyramid())
    assert len(full) == (16 + 8 + 4) * 4 and len(short) == (9 + 5 + 3) * 4
    assert (full.scores.diff() <= 0).all()


def test_selection_by_preset_and_override():
    assert build(preset="official").topk_per_level and build(preset="official").min_duration == 0.05
    assert not build(preset="opentad").topk_per_level
    assert build(preset="official", min_duration=0.001).min_duration == 0.001
    per_level = build(topk_per_level=True, pre_nms_topk=2, min_duration=-1.0)
    assert len(per_level.predict(*pyramid())[0]) == 6
    together = build(topk_per_level=False, pre_nms_topk=2, min_duration=-1.0)
    assert len(together.predict(*pyramid())[0]) == 2


def test_no_empty_segment_by_default():
    for per_level in (True, False):
        head = build(topk_per_level=per_level)
        torch.nn.init.constant_(head.reg_out.bias, -100.0)
        for found in head.predict(*pyramid()):
            assert found.segments.shape == (0, 2) and found.labels.dtype == torch.int64


def test_wrong_configs_are_named():
    with pytest.raises(ValueError, match="often"):
        build(loss_weight="often")
    with pytest.raises(ValueError, match="6 strides.*3 levels"):
        build(point_generator=None)(*pyramid())
    with pytest.raises(ValueError, match="num_classes=4.*is 4"):
        build().loss(*pyramid(), truth([(2, 7, 4)], []))
