"""How the released ActionFormer-style detectors differ, resolved in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PyramidPreset:
    """Behaviour in which the public implementations of point-based detectors disagree.

    Args:
        remask_activations: Zero the padded steps again after norm and activation. Otherwise the
            bias of the norm leaks from the padding into the last valid steps of the next
            convolution.
        isolate_padding: Padding, present or not, never changes a valid step: norm outputs are
            masked before every convolution, max-pooling skips padded steps, the position table is
            stretched to the valid length of each sample, and sequences are not padded to a legal
            length.
        norm_eps: Epsilon of the layer norms in convolution units and in the necks (1e-5 in
            transformer blocks).
        topk_per_level: Keep the best candidates of every level instead of the best of all levels
            together.
        min_duration: Drop candidates that are not longer than this, in steps. Negative keeps all of
            them.
        mask_boundary_logits: The start and end responses of TriDet are zero at padded steps, as
            they are before the first step. Otherwise they are what the convolution gives there.
        boundary_prior: The start and end classifiers of TriDet start with the prior of the
            classifier. Under a softmax a common bias does nothing, except that the zeros that stand
            in for steps outside the sequence look more likely by it.
    """

    remask_activations: bool
    isolate_padding: bool
    norm_eps: float
    topk_per_level: bool
    min_duration: float
    mask_boundary_logits: bool
    boundary_prior: bool


PRESETS = {
    "padding_free": PyramidPreset(
        remask_activations=True,
        isolate_padding=True,
        norm_eps=1e-5,
        topk_per_level=False,
        min_duration=0.0,
        mask_boundary_logits=True,
        boundary_prior=False,
    ),
    "official": PyramidPreset(
        remask_activations=False,
        isolate_padding=False,
        norm_eps=1e-5,
        topk_per_level=True,
        min_duration=0.05,
        mask_boundary_logits=True,
        boundary_prior=True,
    ),
    "opentad": PyramidPreset(
        remask_activations=True,
        isolate_padding=False,
        norm_eps=1e-6,
        topk_per_level=False,
        min_duration=-1.0,
        mask_boundary_logits=False,
        boundary_prior=False,
    ),
}


def resolve_preset(name: str) -> PyramidPreset:
    """Look up a preset.

    Args:
        name: ``"padding_free"`` (ours, the default everywhere), ``"official"`` (the repository of
            the method's authors, ActionFormer or TriDet) or ``"opentad"``. A checkpoint gives its
            published numbers only under the preset of the code that trained it.

    Returns:
        The behaviour behind the name.

    Raises:
        ValueError: If no preset has this name.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset is called {name!r}; choose one of {sorted(PRESETS)}")
    return PRESETS[name]
