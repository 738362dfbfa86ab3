"""The public AdaTAD encoder, weight for weight."""

import pytest
import torch

from mmtad.checkpoints import convert, load_report
from mmtad.models.backbones import VideoEncoder

pytest.importorskip("mmaction")

SIZES = ["native", "other"]


@pytest.fixture(scope="module")
def adatad(golden):
    return golden("adatad_vit")


def build(adatad, dtype=torch.float32, **kwargs):
    state, _, case = adatad
    config = dict(case["config"]["backbone"], type="mmaction.VisionTransformer")
    indices = config.pop("adapter_index")
    reduction = 1 / config.pop("adapter_mlp_ratio")
    for key in ("return_feat_map", "with_cp", "total_frames"):
        config.pop(key)
    model = VideoEncoder(
        config, dict(type="TIA", reduction=reduction), adapter_indices=indices, **kwargs
    )
    report = load_report(model.backbone, convert(state, "opentad_vit"), source="adatad_vit")
    assert report.ratio == 1 and not report.unexpected and not report.ignored
    return model.eval().to(dtype)


def normalised(adatad, size, dtype=torch.float32):
    _, io, case = adatad
    config = case["config"]["data_preprocessor"]
    mean, std = (torch.tensor(config[k], dtype=dtype).view(3, 1, 1, 1) for k in ("mean", "std"))
    return (io[size]["frames_uint8"][:, 0].to(dtype) - mean) / std


@pytest.mark.parametrize("size", SIZES)
def test_every_stage(adatad, size):
    model, expected = build(adatad), adatad[1][size]
    frames = normalised(adatad, size)

    clips = model.cut(frames)
    torch.testing.assert_close(clips[:1], expected["backbone_in_chunk0"], rtol=1e-5, atol=1e-5)
    layout = model.layout(clips)
    x, aside = model.taps.begin(clips[:])
    embedded = x.flatten(1, 3)[:1]
    torch.testing.assert_close(embedded, expected["tokens_plus_pos_chunk0"], rtol=1e-5, atol=1e-5)
    blocks = model.adapted_blocks()[: len(model.after)]
    for block, adapter, out in zip(blocks, model.after, expected["blocks_chunk0"], strict=True):
        x = block(x, aside, layout)
        after = x if adapter is None else adapter(layout.join(x)).reshape(x.shape)
        torch.testing.assert_close(after.flatten(1, 3)[:1], out, rtol=1e-5, atol=1e-5)

    torch.testing.assert_close(
        model.feature_maps(frames)[0], expected["feat_map"], rtol=1e-5, atol=1e-5
    )
    features = model(frames, length=64)
    torch.testing.assert_close(features, expected["wrapper_out"], rtol=1e-5, atol=1e-5)
    masked = features * expected["masks"].unsqueeze(1)
    torch.testing.assert_close(masked, expected["wrapper_out_masked"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_float64(adatad, size):
    model = build(adatad, torch.float64)
    (feature_map,) = model.feature_maps(normalised(adatad, size).double())
    torch.testing.assert_close(
        feature_map, adatad[1][size]["feat_map_float64"], rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(
    "switches",
    [{}, dict(checkpointing=True), dict(checkpointing=True, clips_per_group=1, checkpoint_every=2)],
)
def test_adapter_gradients(adatad, switches):
    model = build(adatad, **switches).train()
    expected = adatad[1]["grad"]
    out = model(normalised(adatad, "native"), length=64)
    torch.testing.assert_close(out, expected["train_out"], rtol=1e-5, atol=1e-5)
    out.backward(expected["grad_out"])
    gradients = {k: p.grad for k, p in model.backbone.named_parameters() if p.grad is not None}
    assert gradients.keys() == expected["grads"].keys()
    for key, gradient in expected["grads"].items():
        scale = max(1.0, gradient.abs().max().item())
        torch.testing.assert_close(gradients[key], gradient, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("grid, name", [((8, 3, 2), "3x2"), ((8, 4, 4), "4x4")])
def test_position_embedding_of_other_sizes(adatad, grid, name):
    torch.testing.assert_close(
        build(adatad).taps.position_embedding(*grid).flatten(1, 3),
        adatad[1]["pos_embed_interp"][name],
        rtol=1e-5,
        atol=1e-5,
    )
