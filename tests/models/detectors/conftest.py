import pytest
import torch
from mmengine.structures import InstanceData

from mmtad.checkpoints.actionformer import from_actionformer, from_opentad_actionformer
from mmtad.checkpoints.boundary_map import from_opentad_bmn, from_opentad_gtad
from mmtad.checkpoints.tridet import from_opentad_tridet, from_tridet
from mmtad.registry import MODELS

CONVERTERS = {
    ("actionformer", "official"): from_actionformer,
    ("actionformer", "opentad"): from_opentad_actionformer,
    ("tridet", "official"): from_tridet,
    ("tridet", "opentad"): from_opentad_tridet,
}


@pytest.fixture
def point_golden(golden):
    """``point_golden(case, **head)`` -> (ActionFormer or TriDet of a golden, io, converter)."""

    def load(name, **head):
        state, io, _ = golden(name)
        method, preset = name.removesuffix("_global").split("_")
        full, trident = name.endswith("global"), method == "tridet"
        convert = CONVERTERS[method, preset]
        neck = dict(type="FPN1D", in_channels=32) if full else dict(type="FPNIdentity")
        neck.update({"out_channels" if full else "channels": 32})
        blocks = (
            dict(type="SGPProjection", mlp_channels=48)
            if trident
            else dict(type="ConvTransformerProjection", window=-1 if full else 5, use_abs_pos=full)
        )
        bins = dict(type="TridentHead", num_bins=8) if trident else dict(type="ActionFormerHead")
        model = MODELS.build(
            dict(
                type="TADDetector",
                projection=dict(
                    **blocks,
                    in_channels=32,
                    out_channels=32,
                    arch=(2, 2, 3),
                    max_seq_len=64,
                    drop_path=0.0,
                    preset=preset,
                ),
                neck=dict(**neck, num_levels=4, preset=preset),
                head=dict(
                    **bins,
                    num_classes=5,
                    in_channels=32,
                    feat_channels=32,
                    point_generator=dict(type="PointGenerator", num_levels=4),
                    preset=preset,
                    **head,
                ),
            )
        )
        report = model.load_state_dict(convert(state), strict=False)
        assert not report.unexpected_keys
        assert set(report.missing_keys) <= {"head.normalizer.average"}
        return model.eval(), io, convert

    return load


@pytest.fixture
def same_gradient_norms():
    """``same_gradient_norms(model, convert, norms)``: gradients have the norms stored by key."""

    def check(model, convert, norms, rel=1e-4, abs=None):
        parameters = dict(model.named_parameters())
        norms = {next(iter(convert({key: torch.zeros(1)}))): norm for key, norm in norms.items()}
        assert norms.keys() == parameters.keys()
        for key, norm in norms.items():
            found = float(parameters[key].grad.norm())
            assert found == pytest.approx(norm, rel=rel, abs=abs), key

    return check


@pytest.fixture
def training_batch():
    """Padded features, masks and ground truth of the training part of a golden."""

    def make(io):
        train, batch = io["train"], io["batch_eval"]
        masks = batch["masks"].reshape(3, 64)
        features = train.get("feats", batch["feats"])
        x = torch.zeros(3, 32, 64)
        for target, source in zip(x, features, strict=True):
            target[:, : source.shape[1]] = source
        truth = [
            InstanceData(segments=s, labels=k)
            for s, k in zip(train["gt_segments"], train["gt_labels"], strict=True)
        ]
        return x, masks, truth

    return make


@pytest.fixture
def boundary_map_golden(golden):
    """``boundary_map_golden("bmn", **head)`` -> (detector of OpenTAD's weights, io, converter)."""

    def load(name, **head):
        state, io, case = golden(name)
        convert = from_opentad_bmn if name == "bmn" else from_opentad_gtad
        theirs = case["config"]["roi_head"]
        sizes = theirs["proposal_roi_extractor"]
        convs = theirs["proposal_head"]
        if name == "bmn":
            neck, block = None, dict(boundary_block="conv", boundary_groups=4)
            extractor = dict(
                type="BoundaryMatchingExtractor",
                hidden_channels=sizes["hid_channels"],
                roi_channels=sizes["roi_channels"],
                num_points=sizes["num_sample"],
                num_subsamples=sizes["num_sample_perbin"],
            )
        else:
            neck = dict(type="GCNeXtNeck", channels=32, preset="opentad")
            block = dict(boundary_block="gcnext", boundary_groups=32)
            extractor = dict(
                type="SubGraphAlignment",
                roi_size=sizes["roi_size"],
                context_size=sizes["context_size"],
            )
        model = MODELS.build(
            dict(
                type="TADDetector",
                projection=dict(
                    type="ConvProjection",
                    in_channels=24,
                    out_channels=32,
                    num_convs=case["config"]["projection"]["num_convs"],
                ),
                neck=neck,
                head=dict(
                    type="BoundaryMapHead",
                    in_channels=32,
                    num_steps=sizes["tscale"],
                    num_durations=sizes["dscale"],
                    extractor=extractor,
                    extractor_channels=sizes["out_channels"],
                    feat_channels=convs["feat_channels"],
                    num_convs=convs["num_convs"],
                    kernel_size=convs.get("kernel_size", 3),
                    preset="opentad",
                    **block,
                )
                | head,
            )
        )
        model.load_state_dict(convert(state))
        return model.eval(), io, convert

    return load


@pytest.fixture
def map_truth():
    """``map_truth(io)``: the actions of the training part of BMN's or G-TAD's golden."""

    def make(io):
        return [
            InstanceData(segments=segments, labels=torch.zeros(len(segments), dtype=torch.int64))
            for segments in io["train"]["gt_segments"]
        ]

    return make


QUERY_KINDS = ("dab-detr", "dab-detr-qd", "self-detr", "deformable-detr", "tadtr", "sp-tad")


def make_query_config(kind, preset="padding_free", channels=6, **head):
    """A detector with 8 queries (SP-TAD 16), 3 classes and width 16 on features, without dropout.

    Args:
        kind: One of ``QUERY_KINDS``.
        preset: Of all parts that have one.
        channels: Channels of the features.
        **head: Further arguments of the head.
    """
    if kind == "sp-tad":
        stage = dict(num_heads=2, hidden_channels=24, dynamic_channels=4, soi_steps=4)
        made = dict(type="FeatureStages", in_channels=channels, out_channels=10)
        sparse = dict(
            num_proposals=16, num_stages=2, embed_dims=16, clip_classifier={}, stage=stage
        )
        sparse.update(type="SparseProposalHead", num_classes=3, pyramid=dict(in_channels=[10] * 3))
        return dict(type="TADDetector", projection=made, head=sparse | head)
    deformable = kind in ("deformable-detr", "tadtr")
    name = "Deformable" if deformable else "DAB"
    common = dict(embed_dims=16, num_heads=2, num_layers=2, feedforward_channels=24, dropout=0.0)
    projection = dict(
        type="ConvProjection",
        in_channels=channels,
        out_channels=16,
        num_convs=1,
        kernel_size=1,
        groups=1,
        activation=False,
    )
    parts = dict(
        encoder=dict(type=f"{name}Encoder", **common),
        decoder=dict(type=f"{name}Decoder", **common, num_queries=8),
    )
    if deformable:
        projection.update(norm_groups=4)
        parts.update(shared_classifier=False)
        for part in (parts["encoder"], parts["decoder"]):
            part.update(preset=preset)
    if kind == "tadtr":
        parts.update(
            actionness=dict(type="ActionnessRegressor", embed_dims=16, roi_size=4, preset=preset)
        )
    if kind == "dab-detr-qd":
        parts["decoder"].update(qd_layout=True)
    if kind == "self-detr":
        parts.update(feedback=dict(type="SelfFeedbackLoss"))
    head = dict(type="DETRHead", num_classes=3, preset=preset, **parts) | head
    return dict(type="TADDetector", projection=projection, head=head)


@pytest.fixture(scope="session")
def query_config():
    """``query_config(kind, preset, **head)``: see :func:`make_query_config`."""
    return make_query_config


@pytest.fixture(params=QUERY_KINDS)
def query_kind(request):
    return request.param
