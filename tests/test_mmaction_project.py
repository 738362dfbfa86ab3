"""Our modules inside an MMAction2 project: custom_imports and the prefix, scope mmaction."""

import pytest

CONFIG = """
default_scope = "mmaction"
custom_imports = dict(imports=["mmtad"], allow_failed_imports=False)
model = dict(
    type="mmtad.TADDetector",
    data_preprocessor=dict(type="mmtad.TADDataPreprocessor"),
    backbone=dict(
        type="mmtad.VideoEncoder",
        backbone=dict(
            type="VisionTransformer", img_size=32, embed_dims=16, depth=1, num_heads=2,
            return_feat_map=True,
        ),
        adapter=dict(type="mmtad.TIA"),
    ),
    projection=dict(
        type="mmtad.ConvTransformerProjection", in_channels=16, out_channels=16, arch=(1, 1, 5),
    ),
    neck=dict(type="mmtad.FPNIdentity", channels=16),
    head=dict(type="mmtad.ActionFormerHead", num_classes=3, in_channels=16, feat_channels=16),
)
"""


@pytest.mark.parametrize("scope", ["mmaction", "mmengine"])
def test_modules_under_a_foreign_scope(scope):
    pytest.importorskip("mmaction")
    import torch
    from mmengine.config import Config
    from mmengine.registry import MODELS, DefaultScope

    cfg = Config.fromstring(CONFIG.replace('"VisionT', '"mmaction.VisionT'), ".py")
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(cfg.model)
    outputs = model(torch.zeros(1, 3, 32, 32, 32), torch.ones(1, 32, dtype=torch.bool))
    assert type(model).__name__ == "TADDetector" and outputs is not None
