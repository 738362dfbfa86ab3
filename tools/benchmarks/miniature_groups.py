"""What ``miniature.py`` compares: groups of variants of a small detector, as config overrides."""

from miniature_group import Claim, Group, Variant
from miniature_query_groups import QUERY_GROUPS


def datasets(**settings) -> dict:
    """Overrides of the data sets of training and of evaluation."""
    loaders = ("train_dataloader", "val_dataloader")
    return {f"{name}.dataset.{key}": value for name in loaders for key, value in settings.items()}


# Full fine-tuning: the weights are those of the pre-training, at half of whose rate they go on.
FINE_TUNING = {
    "model.backbone.frozen": False,
    "optim_wrapper.paramwise_cfg.backbone": dict(lr=1e-3),
}
DATA = dict(train_videos=120, test_videos=60, train_clips=1200, val_clips=160)


def tiny_backbone(frames: int) -> dict[str, dict]:
    """Overrides for a backbone of four blocks, so that side placement has a half of them to tap.

    Args:
        frames: Frames of a clip; the quickstart has 16. The fewer, the more of an action lies
            beyond the clip, where only the adapters' convolution and the detector see it.
    """
    shape = {"depth": 4, "num_frames": frames}
    return dict(
        overrides={
            **{f"model.backbone.backbone.{key}": value for key, value in shape.items()},
            "model.backbone.clip_frames": frames,
        },
        pretrain_overrides={
            # Four blocks need a longer warm-up than two: with 20 iterations a seed in five failed.
            "param_scheduler.0.end": 60,
            **{f"model.backbone.{key}": value for key, value in shape.items()},
            "train_dataloader.dataset.pipeline.1.clip_len": frames,
            "val_dataloader.dataset.pipeline.1.clip_len": frames,
        },
    )


# Motions that half a cycle does not tell apart: each of them passes through moving left and right.
CONTEXT_CLASSES = (
    "circle_clockwise",
    "circle_counterclockwise",
    "slide_left",
    "slide_right",
    "sway",
)
INSIDE = Variant("TIA after every block")
PLAIN = Variant("adapter without convolution", {"model.backbone.adapter.type": "PlainAdapter"})
KERNEL_1 = Variant("TIA, convolution of one step", {"model.backbone.adapter.kernel_size": 1})

GROUPS = {
    "adatad": Group(
        about="AdaTAD: which part of the video backbone is trained, and how",
        config="quickstart/adatad_vit-tiny_actionformer_synthetic.py",
        pretrain="quickstart/pretrain_vit-tiny_synthetic.py",
        **tiny_backbone(frames=8),
        data=DATA,
        variants={
            "frozen": Variant("no adapter, frozen backbone", {"model.backbone.adapter": None}),
            "side": Variant(
                "TIA beside the last half of the blocks",
                {"model.backbone.type": "SideVideoEncoder"},
            ),
            "inside": INSIDE,
            "plain": PLAIN,
            "kernel-1": KERNEL_1,
            "full": Variant(
                "full fine-tuning, no adapter", {"model.backbone.adapter": None, **FINE_TUNING}
            ),
            "both": Variant("full fine-tuning and TIA", FINE_TUNING),
            "lora": Variant("LoRA in every block", {"model.backbone.adapter": dict(type="LoRA")}),
            "half-steps": Variant(
                "inside, detector at half the steps", datasets(frames_per_step=2)
            ),
            "half-frames": Variant(
                "inside, half the frames and steps", datasets(frame_stride=2, window_size=64)
            ),
        },
        claims=[
            Claim("side", "frozen", "adapting at all helps"),
            Claim("inside", "side", "gradients through the backbone help"),
            Claim("inside", "plain", "TIA beats a plain adapter"),
            Claim("inside", "kernel-1", "the convolution over time helps"),
            Claim("inside", "full", "TIA beats full fine-tuning"),
            Claim("inside", "lora", "TIA beats LoRA"),
            Claim("inside", "half-frames", "more frames help"),
            Claim("half-steps", "half-frames", "more frames help at the same number of steps"),
        ],
    ),
    "tia": Group(
        about="TIA where clips of 0.8 s are too short to tell the actions apart",
        config="quickstart/adatad_vit-tiny_actionformer_synthetic.py",
        pretrain="quickstart/pretrain_vit-tiny_synthetic.py",
        **tiny_backbone(frames=4),
        data=dict(**DATA, action_classes=CONTEXT_CLASSES, clip_classes=(*CONTEXT_CLASSES, "hop")),
        variants={
            "inside": INSIDE,
            "plain": PLAIN,
            "kernel-1": KERNEL_1,
            "kernel-7": Variant(
                "TIA, convolution of seven steps", {"model.backbone.adapter.kernel_size": 7}
            ),
        },
        claims=[
            Claim("inside", "plain", "TIA beats a plain adapter"),
            Claim("inside", "kernel-1", "the convolution over time helps"),
            Claim("kernel-7", "kernel-1", "a longer convolution over time helps"),
        ],
    ),
    **QUERY_GROUPS,
}
