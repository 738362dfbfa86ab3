import pytest
import torch
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmtad.models.heads import TridentHead
from mmtad.models.losses import sigmoid_focal_loss

POINTS = dict(
    type="PointGenerator", strides=(1, 2, 4), regression_ranges=((0, 4), (4, 8), (8, 10000))
)


def build(randomise=False, **kwargs):
    torch.manual_seed(0)
    options = dict(num_classes=4, in_channels=8, feat_channels=8, num_bins=5)
    head = TridentHead(**{**options, "point_generator": POINTS, **kwargs})
    if randomise:
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return head


def pyramid(total=16, valid=(16, 9), dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    features, masks = [], []
    for level in range(3):
        steps = -(-torch.tensor(valid) // 2**level)
        mask = torch.arange(-(-total // 2**level)) < steps[:, None]
        x = torch.randn(len(valid), 8, -(-32 // 2**level), generator=generator).to(dtype)
        features.append(x[..., : mask.shape[1]] * mask[:, None])
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


@pytest.mark.parametrize("actions", [[(2, 7, 1), (2, 7, 2), (1, 15, 3)], []])
def test_every_parameter_gets_a_finite_gradient(actions):
    head = build()
    losses = head.loss(*pyramid(), truth(actions, []))
    assert set(losses) == {"loss_cls", "loss_reg"} and float(losses["loss_cls"].detach()) > 0
    assert (float(losses["loss_reg"].detach()) > 0) == bool(actions)
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


def test_start_and_end_pass_no_gradient_to_the_features():
    head = build()
    features, masks = pyramid()
    features = [x.requires_grad_() for x in features]
    outputs = head(features, masks)
    for levels, through in zip(outputs, (True, True, False, False), strict=True):
        grads = torch.autograd.grad(
            levels[0].sum(), features[0], retain_graph=True, allow_unused=True
        )
        assert (grads[0] is not None) == through


def test_distances_are_bounded_and_depend_on_the_class():
    head = build(randomise=True)
    outputs = head(*pyramid())
    points = torch.arange(28)
    distances = head.distances(outputs)
    found = [distances(0, points, torch.full_like(points, k)).detach() for k in (0, 1)]
    for x in found:
        assert x.shape == (28, 2) and 0 <= float(x.min()) and float(x.max()) <= 5
    assert not torch.allclose(*found)
    # One sample for all points, or one for each.
    zeros = torch.zeros_like(points)
    assert_close(found[0], distances(zeros, points, zeros).detach())


@pytest.mark.parametrize("power", [0.0, 0.25, 1.0])
def test_classification_is_weighted_by_the_iou(power):
    head = build(randomise=True, iou_power=power).double().eval()
    features, masks = pyramid(dtype=torch.float64)
    gt = truth([(2, 7, 1), (2, 7, 2)], [])
    outputs = head(features, masks)
    losses = head.loss_by_outputs(outputs, masks, gt)
    classes, target = head.get_targets(outputs, gt)
    logits = torch.cat(outputs.class_logits, 2).transpose(1, 2)
    focal = sigmoid_focal_loss(logits, classes) * torch.cat(masks, 1)[..., None]
    positive = classes.sum(-1) > 0
    total = 0
    for sample, point, label in classes.nonzero().tolist():
        left, right = head.distances(outputs)(sample, torch.tensor([point]), torch.tensor([label]))[
            0
        ]
        a, b = target[sample, point]
        inter = torch.minimum(left, a) + torch.minimum(right, b)
        iou = inter / (left + right + a + b - inter)
        focal[sample, point, label] *= iou**power
        hull = torch.maximum(left, a) + torch.maximum(right, b)
        total += 1 - iou + ((right - left - b + a) / 2 / hull) ** 2
    assert_close(losses["loss_cls"], focal.sum() / positive.sum())
    assert_close(losses["loss_reg"], total / positive.sum())  # two labels count twice


@pytest.mark.parametrize("detach", [False, True])
def test_the_factor_drives_the_offsets_unless_detached(detach):
    head = build(randomise=True, detach_iou=detach)
    losses = head.loss(*pyramid(), truth([(2, 7, 1)], []))
    losses["loss_cls"].backward()
    moved = [p.grad is not None and bool(p.grad.any()) for p in head.start_tower.parameters()]
    assert any(moved) != detach


def test_an_empty_prediction_has_a_finite_gradient():
    head = build()
    with torch.no_grad():
        for out in (head.start_out, head.end_out, head.reg_out):
            out.weight.zero_()
        head.reg_out.bias[5] = head.reg_out.bias[6] = 1000.0  # distance 0 on both sides
    losses = head.loss(*pyramid(), truth([(2, 7, 1)], []))
    sum(losses.values()).backward()
    assert all(x.isfinite() for x in losses.values())
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_padding_changes_nothing():
    head = build(randomise=True, min_duration=-1.0).double().eval()
    alone = pyramid(16, (16,), torch.float64)
    padded = pyramid(24, (16,), torch.float64)
    gt = truth([(2, 7, 1), (11, 16, 0)])
    for a, b in zip(head.loss(*alone, gt).values(), head.loss(*padded, gt).values(), strict=True):
        assert_close(a, b)
    (a,), (b,) = head.predict(*alone), head.predict(*padded)
    assert_close(a.scores, b.scores)
    assert_close(a.segments, b.segments)


def test_opentad_reads_boundaries_in_the_padding():
    """Its start and end branches are not masked; the official ones are, and so are ours."""
    for preset, masked in (("padding_free", True), ("official", True), ("opentad", False)):
        head = build(randomise=True, preset=preset)
        features, masks = pyramid()
        ends = head(features, masks).end_logits[0]
        assert bool((ends[1, :, 9:] == 0).all()) == masked


def test_prior_of_the_boundaries_by_preset():
    biases = {
        preset: build(preset=preset, empty_classes=[3]).start_out.bias.detach()
        for preset in ("padding_free", "official", "opentad")
    }
    assert not biases["padding_free"].any() and not biases["opentad"].any()
    assert_close(biases["official"].sigmoid(), torch.tensor([0.01, 0.01, 0.01, 1e-6]))
    assert_close(build().cls_out.bias.sigmoid(), torch.full((4,), 0.01))


def test_predict_decodes_what_distances_says():
    head = build(randomise=True, min_duration=-1.0, score_threshold=-1.0)
    features, masks = pyramid()
    outputs = head(features, masks)
    points = torch.cat(head._points(outputs))
    for sample, found in enumerate(head.predict(features, masks)):
        assert (found.scores.diff() <= 0).all() and found.labels.dtype == torch.int64
        best = torch.cat(outputs.class_logits, 2)[sample].sigmoid().amax(0).argmax()
        left, right = head.distances(outputs)(sample, best[None], found.labels[:1])[0]
        position, _, _, stride = points[best]
        expected = torch.stack([position - left * stride, position + right * stride])
        assert_close(found.segments[0], expected)
    per_level = build(topk_per_level=True, pre_nms_topk=2, min_duration=-1.0)
    assert len(per_level.predict(*pyramid())[0]) == 6


def test_losses_are_float32_under_autocast():
    head = build()
    features, masks = pyramid()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = head.loss(features, masks, truth([(2, 7, 1)], []))
        found = head.predict(features, masks)
    assert all(x.dtype == torch.float32 for x in losses.values())
    assert found[0].scores.dtype == found[0].segments.dtype == torch.float32


def test_wrong_configs_are_named():
    with pytest.raises(ValueError, match="num_bins=0"):
        build(num_bins=0)
    with pytest.raises(ValueError, match="often"):
        build(loss_weight="often")
    with pytest.raises(ValueError, match="num_classes=4.*is 4"):
        build().loss(*pyramid(), truth([(2, 7, 4)], []))
