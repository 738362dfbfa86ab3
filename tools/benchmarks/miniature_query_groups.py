"""Groups of ``miniature.py`` about detectors with queries, on generated features."""

from miniature_group import Claim, Group, Variant

from mmtad.datasets.synthetic_features import SyntheticFeatureSpec

WIDTH, CLASSES = 64, 5
DEFORMABLE = {
    **{
        f"model.head.{part}": dict(
            _delete_=True,
            type=f"Deformable{part.capitalize()}",
            embed_dims=WIDTH,
            num_layers=layers,
            num_heads=4,
            feedforward_channels=256,
            dropout=0.0,
        )
        for part, layers in (("encoder", 2), ("decoder", 4))
    },
    "model.head.decoder.num_queries": 20,
    "model.head.shared_classifier": False,
    # Places and first references are learned at a tenth of the rate, as the authors do.
    "optim_wrapper.paramwise_cfg": dict(
        custom_keys={name: dict(lr_mult=0.1) for name in ("offset_proj", "reference_proj")}
    ),
}
TADTR = {
    **DEFORMABLE,
    "model.head.actionness": dict(type="ActionnessRegressor", embed_dims=WIDTH),
}


def sp_tad(stages: int = 4, sources: str = "all", rates: int = 3) -> dict:
    """Overrides for SP-TAD over stages of convolutions at 1, 1/2, 1/4, .. of the steps.

    Args:
        stages: Refinement stages.
        sources: What the pyramid is made from, see ``StagePyramid``.
        rates: Stages of convolutions.
    """
    return {
        "model.projection": dict(
            _delete_=True,
            type="FeatureStages",
            in_channels=32,
            out_channels=WIDTH,
            num_stages=rates,
        ),
        "model.head": dict(
            _delete_=True,
            type="SparseProposalHead",
            num_classes=CLASSES,
            pyramid=dict(in_channels=[WIDTH] * rates, sources=sources),
            num_proposals=20,
            num_stages=stages,
            embed_dims=WIDTH,
            stage=dict(num_heads=4, hidden_channels=256, dynamic_channels=16, soi_steps=8),
            clip_classifier=dict(),
        ),
    }


ACTIONFORMER = {
    "model.projection": dict(
        _delete_=True,
        type="ConvTransformerProjection",
        in_channels=32,
        out_channels=WIDTH,
        arch=(2, 1, 4),
        window=9,
        max_seq_len=128,
        drop_path=0.0,
    ),
    "model.neck": dict(type="FPNIdentity", channels=WIDTH, num_levels=5),
    "model.head": dict(
        _delete_=True,
        type="ActionFormerHead",
        num_classes=CLASSES,
        in_channels=WIDTH,
        feat_channels=WIDTH,
        point_generator=dict(
            type="PointGenerator",
            strides=(1, 2, 4, 8, 16),
            regression_ranges=((0, 4), (4, 8), (8, 16), (16, 32), (32, 10000)),
        ),
    ),
    "optim_wrapper.clip_grad.max_norm": 1.0,
}


def diversity_claims(part: str, first: str, last: str) -> list[Claim]:
    """What Self-DETR says of the self-attention of one part, between two of its layers.

    The decoder is judged from its second layer on: in the first one all queries hold the same
    content, zero, so its attention changes nothing and learns nothing from the detections.
    """
    first, last = f"diversity/{first}", f"diversity/{last}"
    plain, guided = "dab-detr", "self-detr"
    return [
        Claim(plain, plain, f"diversity of DAB-DETR falls with depth, {part}", first, last),
        Claim(guided, guided, f"diversity of Self-DETR does not, {part}", last, first),
        Claim(guided, plain, f"the last layer of Self-DETR is more diverse, {part}", last),
    ]


QUERY_GROUPS = {
    "queries": Group(
        about="Detectors with queries where a cue far away decides what a segment is",
        config="quickstart/dab-detr_synthetic-features.py",
        spec=SyntheticFeatureSpec,
        metrics=("mAP", "mAP@0.50", "mAP@0.70"),
        layer_metrics="diversity/",
        variants={
            "dab-detr": Variant("DAB-DETR, dense attention"),
            "self-detr": Variant(
                "DAB-DETR, maps guided by cross-attention",
                {"model.head.feedback": dict(type="SelfFeedbackLoss")},
            ),
            "deformable": Variant("Deformable-DETR, sparse attention", DEFORMABLE),
            "tadtr": Variant("Deformable-DETR with actionness", TADTR),
            "sp-tad": Variant("SP-TAD, four refinement stages", sp_tad()),
            "sp-tad-last": Variant("pyramid on the last stage only", sp_tad(sources="last")),
            "sp-tad-1": Variant("one refinement stage", sp_tad(stages=1)),
            "sp-tad-8": Variant("SP-TAD, a fourth backbone stage of 1/8", sp_tad(rates=4)),
            "sp-tad-8-last": Variant(
                "the same, pyramid on that stage only", sp_tad(sources="last", rates=4)
            ),
            "actionformer": Variant("ActionFormer, for comparison", ACTIONFORMER),
        },
        claims=[
            *(
                claim
                for part, first, last in (("encoder", 1, 2), ("decoder", 2, 4))
                for claim in diversity_claims(part, f"{part}_{first}", f"{part}_{last}")
            ),
            Claim("self-detr", "dab-detr", "Self-DETR beats DAB-DETR"),
            Claim("sp-tad", "sp-tad-last", "intermediate stages help at 0.7", "mAP@0.70"),
            Claim("sp-tad", "sp-tad-last", "intermediate stages help"),
            Claim("sp-tad-8", "sp-tad-8-last", "the same, to 1/8, at 0.7", "mAP@0.70"),
            Claim("sp-tad-8", "sp-tad-8-last", "the same, to 1/8"),
            Claim("sp-tad", "sp-tad-1", "four refinement stages beat one"),
            Claim("tadtr", "dab-detr", "TadTR beats dense DAB-DETR"),
            Claim("tadtr", "deformable", "actionness helps"),
        ],
    ),
}
