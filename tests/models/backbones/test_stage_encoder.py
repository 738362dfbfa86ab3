import copy

import pytest
import torch
from torch.testing import assert_close

from mmtad.models.backbones.pooling import spatial_mean
from mmtad.models.backbones.stage_encoder import resize
from mmtad.registry import MODELS

pytest.importorskip("mmaction")

PATH = dict(type="resnet3d", depth=18, norm_eval=True)
SLOWFAST = dict(
    type="mmaction.ResNet3dSlowFast",
    slow_pathway=dict(
        PATH, base_channels=16, lateral=True, conv1_kernel=(1, 7, 7), inflate=(0, 0, 1, 1)
    ),
    fast_pathway=dict(PATH, base_channels=2, lateral=False, conv1_kernel=(5, 7, 7)),
)
SWIN = dict(
    type="mmaction.SwinTransformer3D",
    arch=dict(embed_dims=8, depths=[1, 2, 1, 1], num_heads=[1] * 4),
    window_size=(2, 2, 2),
    pretrained2d=False,
)
SLOW = dict(
    type="mmaction.ResNet3dSlowOnly",
    depth=18,
    base_channels=8,
    conv1_kernel=(1, 7, 7),
    inflate=(0, 0, 1, 1),
    norm_eval=True,
)
KINDS = pytest.mark.parametrize(
    "backbone", [SLOWFAST, SWIN, SLOW], ids=["slowfast", "swin", "slow"]
)


def build(backbone, train=False, **kwargs):
    torch.manual_seed(0)
    model = MODELS.build(dict(type="StageEncoder", backbone=copy.deepcopy(backbone), **kwargs))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
    return model.train(train)


def frames(count=16, size=32, batch=1):
    return torch.randn(batch, 3, count, size, size, generator=torch.Generator().manual_seed(1))


@KINDS
@torch.no_grad()
def test_channels_are_told_before_it_runs(backbone):
    model = build(backbone)
    stages = model(frames(), 16)
    assert [x.shape[1] for x in stages] == list(model.out_channels)
    assert build(backbone, stages=(0, 2)).out_channels[1] == model.out_channels[1]


@torch.no_grad()
def test_slow_and_fast_stages_are_the_means_of_the_backbone_own():
    model = build(SLOWFAST, stages=(0, 1, 2, 3), step_frames=2)
    path, kept = model.backbone, {}

    def keep(name):
        return lambda module, args, out: kept.update({name: spatial_mean(out)})

    for kind in ("slow", "fast"):
        for stage in range(1, 5):
            module = getattr(getattr(path, f"{kind}_path"), f"layer{stage}")
            module.register_forward_hook(keep((kind, stage)))
    path(frames())
    expected = [
        torch.cat([resize(kept["slow", s], 8), resize(kept["fast", s], 8)], 1) for s in range(1, 5)
    ]
    stages = model(frames(), 16)
    assert [x.shape for x in stages] == [(1, 18 << s, 8) for s in range(4)]
    assert_close(stages, expected)
    assert [x.shape[-1] for x in build(SLOWFAST)(frames())] == [16] * 3


@torch.no_grad()
def test_swin_stages_are_those_of_its_out_indices():
    """MMAction2 normalises each stage; its new norms start without scale and shift, as ours."""
    model = build(SWIN, stages=(0, 1, 2, 3))
    own = MODELS.build(dict(SWIN, out_indices=(0, 1, 2, 3)))
    own.eval()
    own.load_state_dict(model.backbone.state_dict(), strict=False)
    expected = [spatial_mean(x) for x in own(frames())]
    assert [x.shape for x in expected] == [(1, 8 << s, 8) for s in range(4)]
    assert_close(model(frames()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["ResNet3dSlowOnly", "ResNet3d"])
@torch.no_grad()
def test_backbones_that_return_their_stages(kind):
    """By taps or by `out_indices`, the same numbers; the pool behind the first stage is in it."""
    same = dict(SLOW) if kind == "ResNet3dSlowOnly" else dict(depth=18, base_channels=8)
    backbone = same | dict(type=f"mmaction.{kind}", pretrained2d=False)
    by_taps = build(backbone, stages=(0, 1, 2, 3))
    by_indices = build(dict(backbone, out_indices=(0, 1, 2, 3)), stages=(0, 1, 2, 3))
    assert by_indices.taps is None and by_indices.out_channels is None
    by_indices.backbone.load_state_dict(by_taps.backbone.state_dict())
    assert_close(by_indices(frames()), by_taps(frames()))
    (last,) = build(dict(backbone, out_indices=(1, 2, 3)), stages=(2,))(frames())
    assert last.shape[1] == 64


@torch.no_grad()
def test_factorised_convolutions():
    """Time is halved from stage to stage, as in I3D."""
    factorised = dict(type="Conv2plus1d")
    model = build(
        dict(type="mmaction.ResNet2Plus1d", depth=18, pretrained2d=False, conv_cfg=factorised)
        | dict(inflate=(1, 1, 1, 1), temporal_strides=(1, 2, 2, 2), base_channels=8)
    )
    stages = model(frames())
    assert [x.shape for x in stages] == [(1, 16, 8), (1, 32, 4), (1, 64, 2)]
    assert_close(stages[-1], spatial_mean(model.backbone(frames())))


@torch.no_grad()
def test_two_streams():
    model = build(dict(type="TwoStreamI3D"))
    stages = model(torch.randn(1, 5, 16, 32, 32), 16)
    assert [x.shape for x in stages] == [(1, 960, 8), (1, 1664, 4), (1, 2048, 2)]
    assert list(model.out_channels) == [960, 1664, 2048]


@KINDS
def test_gradients_with_checkpointing(backbone):
    results = []
    for checkpointing in (False, True):
        model = build(backbone, train=True, checkpointing=checkpointing)
        stages = model(frames())
        sum(x.square().sum() for x in stages).backward()
        grads = {name: p.grad for name, p in model.named_parameters()}
        assert all(grad is not None for grad in grads.values())
        results.append((list(stages), grads))
    assert_close(*results, rtol=1e-4, atol=1e-4)


@KINDS
def test_a_frozen_backbone_runs_without_a_graph_in_eval_mode(backbone):
    model = build(backbone, train=True, frozen=True)
    assert not any(p.requires_grad for p in model.parameters())
    assert not any(module.training for module in model.backbone.modules())
    assert not any(x.requires_grad for x in model(frames()))
    assert build(backbone, train=True).backbone.training


def test_blocks_behind_the_last_stage_are_neither_run_nor_trained():
    model = build(SLOW, train=True, stages=(0, 1))
    stages = model(frames())
    sum(x.sum() for x in stages).backward()
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {n for n, p in model.named_parameters() if p.grad is not None}
    assert trained and not any("layer3" in n or "layer4" in n for n in trained)


def test_prepare_is_called_with_raw_frames():
    model, seen = build(SLOW), []

    def prepare(raw):
        seen.append(raw.dtype)
        return raw.float() / 255

    raw = torch.randint(255, (1, 3, 16, 32, 32), dtype=torch.uint8)
    assert_close(model(raw, 16, prepare=prepare), model(raw.float() / 255))
    assert seen == [torch.uint8]


def test_weights_are_read_from_a_file(tmp_path):
    torch.manual_seed(5)
    state = MODELS.build(copy.deepcopy(SLOW)).state_dict()
    torch.save({f"backbone.{name}": value for name, value in state.items()}, tmp_path / "x.pth")
    model = build(SLOW, pretrained=str(tmp_path / "x.pth"), frozen=True)
    model.init_weights()
    assert_close(dict(model.backbone.state_dict()), dict(state))


def test_lengths():
    x = torch.arange(8.0).view(1, 1, 8)
    assert resize(x, 8) is x
    assert resize(x, 4).flatten().tolist() == [0.5, 2.5, 4.5, 6.5]
    assert_close(resize(x, 16)[..., 1:3].flatten(), torch.tensor([0.25, 0.75]))


def test_stages_that_do_not_exist_are_named():
    with pytest.raises(
        ValueError, match="ResNet3dSlowOnly: there is no stage 4; those.*0, 1, 2, 3"
    ):
        build(SLOW, stages=(2, 3, 4))
    with pytest.raises(ValueError, match="no stage to return"):
        build(SLOW, stages=())
    with pytest.raises(ValueError, match="must rise, each once"):
        build(SLOW, stages=(3, 2))
    vit = dict(type="mmaction.VisionTransformer", img_size=32, embed_dims=16, depth=2, num_heads=2)
    with pytest.raises(ValueError, match="VisionTransformer: a plain transformer has one stage, 0"):
        build(vit)
    with pytest.raises(ValueError, match="TwoStreamI3D: there is no stage 3; those.*0, 1, 2 "):
        build(dict(type="TwoStreamI3D"), stages=(3,))
    two = build(dict(SLOW, out_indices=(2, 3)))
    with pytest.raises(ValueError, match="there is no stage -3; those that exist are 0, 1 "):
        two(frames())
    own = dict(type="mmaction.C3D", pretrained=None)
    with pytest.raises(ValueError, match="C3D returned one map, not its stages; set its out_ind"):
        build(own)(frames(16, 112))


def test_contradictions_are_named():
    with pytest.raises(ValueError, match="knows no blocks of TwoStreamI3D; use the backbone's own"):
        build(dict(type="TwoStreamI3D"), checkpointing=True)
    with pytest.raises(ValueError, match="step_frames must be at least 1, got 0"):
        build(SLOW, step_frames=0)
