"""How the released query-based detectors differ, resolved in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class QueryPreset:
    """Behaviour in which the public implementations of TadTR disagree.

    Args:
        use_mask: Padded steps are never attended to, and the unit of segments and positions is the
            valid length of a window. Otherwise every step counts as valid, and the unit is the
            padded length.
        zero_padding: What the projection leaves at padded steps is overwritten with zeros.
        position_offset: Added to the index of a step, which counts from 1, before its position is
            encoded; -0.5 encodes the centres of steps.
        shared_actionness_targets: The actionness of a query is its largest IoU with the ground
            truth of the whole batch, as if all videos were one. Otherwise that of its own video.
        half_precision_rois: What RoI align reads, features and segments, is rounded to float16.
        rois_by_padded_length: Segments become RoIs by the padded length, though their unit is the
            valid one: in a padded window they lie too far to the right.
        halve_samples: What deformable attention reads counts half.
    """

    use_mask: bool
    zero_padding: bool
    position_offset: float
    shared_actionness_targets: bool
    half_precision_rois: bool
    rois_by_padded_length: bool
    halve_samples: bool


QUERY_PRESETS = {
    "padding_free": QueryPreset(
        use_mask=True,
        zero_padding=True,
        position_offset=0.0,
        shared_actionness_targets=False,
        half_precision_rois=False,
        rois_by_padded_length=False,
        halve_samples=False,
    ),
    "official": QueryPreset(
        use_mask=True,
        zero_padding=False,
        position_offset=0.0,
        shared_actionness_targets=True,
        half_precision_rois=False,
        rois_by_padded_length=True,
        halve_samples=False,
    ),
    "opentad": QueryPreset(
        use_mask=False,
        zero_padding=True,
        position_offset=-0.5,
        shared_actionness_targets=False,
        half_precision_rois=True,
        rois_by_padded_length=True,
        halve_samples=True,
    ),
}


def resolve_query_preset(name: str) -> QueryPreset:
    """Look up a preset of query-based detectors.

    Args:
        name: ``"padding_free"`` (ours, the default everywhere), ``"official"`` (the repository of
            TadTR's authors) or ``"opentad"``. A checkpoint gives its published numbers only under
            the preset of the code that trained it.

    Returns:
        The behaviour behind the name.

    Raises:
        ValueError: If no preset has this name.
    """
    if name not in QUERY_PRESETS:
        raise ValueError(f"no preset is called {name!r}; choose one of {sorted(QUERY_PRESETS)}")
    return QUERY_PRESETS[name]
