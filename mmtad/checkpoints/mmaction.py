"""Key tables of `MMAction2 <https://github.com/open-mmlab/mmaction2>`_."""

from .key_tables import KeyTable, register_source

# A recognizer's checkpoint; `cls_head.*` stays and is reported as unexpected. The backbones are
# MMAction2's own, so one table serves all of them.
register_source(
    "mmaction_recognizer",
    KeyTable([(r"^(module\.)?backbone\.", "")]),
    about="MMAction2: recognizers of any backbone (VideoMAE, SlowFast, VideoSwin, ResNet3d, ...)",
    # TAD projects begin their names with `backbone.` as well.
    signature=(r"^(module\.)?backbone\.(?!_?model\.|backbone\.|embd|stem\.|branch\.)",),
    optional=(r"(^|\.)fc_norm\.",),
    computed=(r"(^|\.)pos_embed$",),
)
