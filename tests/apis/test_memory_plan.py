import copy
import importlib.util

import pytest
import torch
from mmengine.config import Config

from mmtad.apis.fake_run import AVERAGE, FROZEN, GRADIENTS, INPUTS, STATE, WEIGHTS, build_model
from mmtad.apis.fake_run import fake_mode as fake
from mmtad.apis.memory_plan import as_options, batch_shape, plan_memory, switches, try_switches
from mmtad.models.adapters import tia

pytest.importorskip("mmaction")

DETECTOR = dict(
    type="TADDetector",
    data_preprocessor=dict(type="TADDataPreprocessor"),
    projection=dict(
        type="ConvTransformerProjection",
        in_channels=16,
        out_channels=16,
        arch=(1, 1, 1),
        max_seq_len=64,
        window=9,
    ),
    neck=dict(type="FPNIdentity", channels=16, num_levels=2),
    head=dict(
        type="ActionFormerHead",
        num_classes=2,
        in_channels=16,
        feat_channels=16,
        point_generator=dict(
            type="PointGenerator", strides=(1, 2), regression_ranges=((0, 4), (4, 10000))
        ),
    ),
)
ENCODER = dict(
    type="VideoEncoder",
    adapter=dict(type="TIA"),
    backbone=dict(
        type="mmaction.VisionTransformer",
        img_size=32,
        patch_size=8,
        embed_dims=48,
        depth=3,
        num_heads=2,
        num_frames=16,
        drop_path_rate=0.1,
        return_feat_map=True,
    ),
)


def config(encoder=None, **kwargs) -> Config:
    """A small detector, on video if an encoder's arguments are given."""
    model = copy.deepcopy(DETECTOR)
    pipeline = [dict(type="RandomResizedCrop", size=32), dict(type="PackTADInputs")]
    if encoder is not None:
        model["backbone"] = {**copy.deepcopy(ENCODER), **encoder}
        model["projection"]["in_channels"] = 48
    dataset = dict(type="TADDataset", window_size=64, pipeline=pipeline)
    wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-3))
    base = dict(
        model=model, train_dataloader=dict(batch_size=2, dataset=dataset), optim_wrapper=wrapper
    )
    return Config({**base, **kwargs})


def sgd(**kwargs):
    return dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=1e-3, **kwargs))


def sizes(model_config):
    """Bytes of the trained and of the other weights, buffers included."""
    model = build_model(Config(model_config), "mmtad")
    trained = sum(4 * p.numel() for p in model.parameters() if p.requires_grad)
    every = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    return trained, every - trained


def test_fixed_parts_are_exact():
    cfg = config(encoder={}, custom_hooks=[dict(type="TrainableEMAHook")])
    trained, others = sizes(cfg.model)
    memory = plan_memory(cfg)
    kinds = memory.peak.kinds
    assert kinds[WEIGHTS] == trained and kinds[FROZEN] == others
    assert kinds[STATE] == 2 * trained and kinds[AVERAGE] == trained
    assert kinds[INPUTS] == 2 * (4 * 3 * 64 * 32 * 32 + 64)
    assert sum(kinds.values()) == memory.peak.total
    assert memory.gradients == trained


def test_fused_optimiser_and_flash_attention_need_no_gpu():
    fused = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-3, fused=True))
    cfg = config(encoder=dict(attention="flash_attn"), optim_wrapper=fused)
    assert plan_memory(cfg).peak.kinds == plan_memory(config(encoder={})).peak.kinds
    assert cfg.model.backbone.attention == "flash_attn"


@pytest.mark.parametrize("momentum, copies", [(0, 0), (0.9, 1)])
def test_state_of_sgd(momentum, copies):
    cfg = config(optim_wrapper=sgd(momentum=momentum))
    trained, _ = sizes(cfg.model)
    kinds = plan_memory(cfg).peak.kinds
    assert kinds[STATE] == copies * trained and kinds[AVERAGE] == 0


def test_average_of_all_weights():
    cfg = config(encoder={}, custom_hooks=[dict(type="mmengine.EMAHook")])
    model = build_model(cfg.model, "mmtad")
    size = sum(4 * p.numel() for p in model.parameters())
    assert plan_memory(cfg).peak.kinds[AVERAGE] == size


def test_accumulated_gradients_live_through_the_forward_pass():
    wide = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=1e-3))
    once = plan_memory(config(encoder={}, optim_wrapper=wide))
    often = plan_memory(config(encoder={}, optim_wrapper=dict(wide, accumulative_counts=4)))
    assert often.peak.kinds[GRADIENTS] == often.gradients
    assert once.peak.total < often.peak.total <= once.peak.total + once.gradients


@pytest.mark.parametrize(
    "encoder",
    [
        {},
        dict(checkpointing=True),
        dict(checkpointing=True, clips_per_group=2, stream_dtype="bfloat16"),
        dict(type="SideVideoEncoder", clips_per_group=2),
    ],
)
def test_agrees_with_an_independent_count(shared, encoder):
    """The peak of forward and backward, counted by another tool, within 2 %."""
    path = shared / "tools" / "peak_memory.py"
    spec = importlib.util.spec_from_file_location("peak_memory", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    still = dict(ENCODER["backbone"], drop_path_rate=0.0)
    cfg = config(encoder=dict(encoder, backbone=still), optim_wrapper=sgd())
    with fake():
        model = build_model(cfg.model, "mmtad")
        memory = tool.PeakMemory(model)
        with memory:
            data = model.data_preprocessor(batch_shape(cfg)(), True)
            outputs = model(data["inputs"], data["masks"])
            loss = sum(x.sum() for x in (*outputs.class_logits, *outputs.offsets))
            del outputs
            loss.backward()
    assert plan_memory(cfg).peak.total == pytest.approx(memory.peak, rel=0.02)


def test_every_kind_of_checkpointing_takes_less():
    ways = [
        {},
        dict(checkpointing=True),
        dict(checkpointing=True, clips_per_group=1),
        dict(checkpointing=True, clips_per_group=1, checkpoint_every=2),
        dict(checkpointing=True, clips_per_group=1, offload=True),
    ]
    plans = [plan_memory(config(encoder=way, optim_wrapper=sgd())) for way in ways]
    totals = [plan.peak.total for plan in plans]
    assert totals[1] < 0.8 * totals[0]
    assert totals[2] < totals[1]
    assert plans[3].saved < plans[2].saved
    assert totals[4] < totals[2]
    assert [plan.offloaded > 0 for plan in plans] == [False] * 4 + [True]
    # the inputs of 3 blocks: 2 videos x 4 clips x (8 x 4 x 4) tokens x 48 channels, fp32
    assert plans[4].offloaded == 3 * (2 * 4 * 8 * 4 * 4 * 48 * 4)


def test_half_precision_of_the_stream_and_of_frozen_weights():
    amp = dict(type="AmpOptimWrapper", dtype="bfloat16", optimizer=dict(type="SGD", lr=1e-3))
    plain = plan_memory(config(encoder=dict(checkpointing=True), optim_wrapper=amp))
    halves = dict(checkpointing=True, stream_dtype="bfloat16", frozen_dtype="bfloat16")
    half = plan_memory(config(encoder=halves, optim_wrapper=amp))
    assert half.saved < plain.saved
    assert half.peak.kinds[FROZEN] < 0.6 * plain.peak.kinds[FROZEN]
    assert {dtype for kind, dtype in half.weights if kind == FROZEN} == {"bfloat16", "float32"}


def test_side_placement_takes_less_than_inside():
    inside = plan_memory(config(encoder={}))
    side = plan_memory(config(encoder=dict(type="SideVideoEncoder")))
    offloaded = plan_memory(config(encoder=dict(type="SideVideoEncoder", offload=True)))
    assert offloaded.peak.total <= side.peak.total < inside.peak.total
    assert offloaded.offloaded > 0


def test_the_peak_is_in_the_backward_pass_of_a_block():
    phase, module = plan_memory(config(encoder={}, optim_wrapper=sgd())).peak.place
    assert (phase, module.partition("blocks")[1]) == ("backward", "blocks")


def test_leaving_out_groups_changes_nothing(monkeypatch):
    """Groups that are alike are not all run; the count is that of all."""
    encoder = dict(checkpointing=True, clips_per_group=1)
    cfg = config(encoder=encoder, optim_wrapper=sgd())
    cfg.train_dataloader.dataset.window_size = 16 * 6
    cfg.model.projection.max_seq_len = 16 * 6
    cfg.train_dataloader.batch_size = 1
    few = plan_memory(cfg)
    monkeypatch.setattr("mmtad.apis.gpu_behaviour.GROUPS", 10**6)
    full = plan_memory(cfg)
    assert few.peak.total == pytest.approx(full.peak.total, rel=0.002)
    assert few.saved == full.saved


def test_batch_from_the_config():
    cfg = config(encoder={})
    assert str(batch_shape(cfg)) == "2 x 64 frames of 32x32, 64 steps"
    cfg.train_dataloader.dataset.frames_per_step = 4
    wrapped = dict(type="RepeatDataset", times=2, dataset=dict(cfg.train_dataloader.dataset))
    cfg.train_dataloader.dataset = wrapped
    assert str(batch_shape(cfg, 3)) == "3 x 64 frames of 32x32, 16 steps"
    assert str(batch_shape(config())) == "2 x features [16, 64]"


def test_features_without_a_backbone():
    memory = plan_memory(config())
    assert memory.peak.kinds[INPUTS] == 2 * (16 * 64 * 4 + 64)
    assert memory.peak.kinds[STATE] == 2 * sizes(DETECTOR)[0]


def test_nothing_is_left_behind():
    before = tia.depthwise_conv
    plan_memory(config(encoder=dict(checkpointing=True)))
    assert tia.depthwise_conv is before
    assert isinstance(torch.linspace(0, 1, 3), torch.Tensor)
    assert type(torch.zeros(1)) is torch.Tensor


def test_switches_that_are_on_are_not_offered():
    names = [as_options([switch]) for switch in switches(config(encoder={}))]
    assert names[0] == "model.data_preprocessor.defer_normalization=True"
    assert names[1] == "optim_wrapper.type=AmpOptimWrapper optim_wrapper.dtype=bfloat16"
    assert names[-1] == "model.backbone.offload=True"
    on = dict(checkpointing=True, clips_per_group=4, checkpoint_every=2, stream_dtype="bfloat16")
    rest = " ".join(as_options([switch]) for switch in switches(config(encoder=on)))
    assert "clips_per_group" not in rest and "checkpointing" not in rest
    assert "checkpoint_every=2" not in rest and "checkpoint_every=4" in rest
    assert not any("backbone" in key for switch in switches(config()) for key in switch)
    tuned = " ".join(map(str, switches(config(encoder=dict(frozen=False)))))
    assert "frozen_dtype" not in tuned


def test_switches_are_tried_until_it_fits():
    cfg = config(encoder={}, optim_wrapper=sgd())
    before = plan_memory(cfg)
    limit = 0.5 * before.peak.total
    tried = list(try_switches(cfg, None, before, limit))
    kept = [(switch, after) for switch, after, helps in tried if helps]
    assert kept[-1][1].peak.total <= limit < kept[-2][1].peak.total
    assert len(tried) < len(list(switches(cfg)))
    again = copy.deepcopy(cfg)
    for switch, _ in kept:
        again.merge_from_dict(switch)
    assert plan_memory(again).peak.total == kept[-1][1].peak.total
    assert "checkpointing" not in str(cfg)


def test_later_values_of_a_switch_count():
    assert as_options([{"a": 1}, {"b": True}, {"a": 2}]) == "a=2 b=True"


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(model=None), "has no model"),
        (dict(optim_wrapper=None), "has no optim_wrapper"),
        (dict(train_dataloader=None), "no train_dataloader"),
        (dict(train_dataloader=dict(batch_size=0, dataset={})), "at least 1, got 0"),
        (dict(train_dataloader=dict(batch_size=1, dataset={})), "no window_size"),
        (
            dict(train_dataloader=dict(batch_size=1, dataset=dict(window_size=64))),
            "no transform of the training pipeline has a size",
        ),
    ],
)
def test_incomplete_configs(change, message):
    with pytest.raises(ValueError, match=message):
        plan_memory(config(encoder={}, **change))


def two_streams(**stream) -> Config:
    """A detector on the first stages of two I3D."""
    cfg = config()
    stages = ("Conv3d_2c_3x3", "Mixed_3b")
    stream = dict(stream, out_stages=stages)
    cfg.model.backbone = dict(
        type="StageEncoder",
        stages=(-2, -1),
        backbone=dict(type="TwoStreamI3D", rgb=stream, flow=dict(stream)),
    )
    cfg.model.data_preprocessor.update(mean=[127.5] * 5, std=[127.5] * 5)
    cfg.model.projection = dict(type="StagePyramid", in_channels=[384, 512], out_channels=16)
    cfg.model.projection.update(num_levels=2)
    cfg.model.neck = None
    cfg.train_dataloader.dataset.update(
        window_size=32, pipeline=[dict(type="RandomCrop", size=64), dict(type="PackTADInputs")]
    )
    return cfg


def test_stages_of_two_streams():
    cfg = two_streams()
    assert batch_shape(cfg).channels == 5 and batch_shape(cfg).size == (64, 64)
    streams = [f"model.backbone.backbone.{name}.checkpointing" for name in ("rgb", "flow")]
    assert dict.fromkeys(streams, True) in list(switches(cfg))
    assert {"model.data_preprocessor.defer_normalization": True} in list(switches(cfg))
    checkpointed = two_streams(checkpointing=True)
    assert not any(streams[0] in switch for switch in switches(checkpointed))
    assert plan_memory(checkpointed).saved < 0.6 * plan_memory(cfg).saved
    single = two_streams()
    single.model.backbone.backbone = dict(type="InceptionI3D")
    assert {"model.backbone.backbone.checkpointing": True} in list(switches(single))
    single.model.backbone.backbone = dict(type="mmaction.ResNet3dSlowOnly")
    assert {"model.backbone.checkpointing": True} in list(switches(single))
    single.model.backbone.frozen = True
    assert not any("checkpointing" in str(switch) for switch in switches(single))
