"""Key tables of `VideoMAE <https://github.com/MCG-NJU/VideoMAE>`_ and VideoMAEv2.

For MMAction2's VisionTransformer. Both the fine-tuned and the self-supervised files are met; the
latter keep the backbone below `encoder.` and have no `fc_norm`, which only classification needs;
their `encoder.norm` has no counterpart in a backbone with mean pooling. The fixed position table is
not in the files: it is the same function in both.
"""

from .key_tables import KeyTable, register_source

register_source(
    "videomae",
    KeyTable(
        [
            (r"^module\.", ""),
            (r"^(encoder|backbone)\.", ""),
            (r"^patch_embed\.proj\.", "patch_embed.projection."),
            (r"\.mlp\.fc1\.", ".mlp.layers.0.0."),
            (r"\.mlp\.fc2\.", ".mlp.layers.1."),
        ]
    ),
    about="VideoMAE and VideoMAEv2: the authors' files, self-supervised or fine-tuned",
    signature=(r"(^|\.)blocks\.\d+\.mlp\.fc1\.", r"(^|\.)patch_embed\.proj\."),
    optional=(r"(^|\.)fc_norm\.",),
    computed=(r"(^|\.)pos_embed$",),
)
