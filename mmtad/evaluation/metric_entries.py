"""The windows of a run: checked, grouped by video, and written as results."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.structures import InstanceData


def read_predictions(sample: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Tensors of one window on the CPU, without the memory of the batch that they are views of."""
    where = f"window {sample.get('window_index', 0)} of video '{sample['video_id']}'"
    instances = sample.get("pred_instances")
    if instances is None:
        raise ValueError(f"{where} has no pred_instances; the model must predict for every window")
    try:
        fields = {
            key: torch.as_tensor(instances[key]).detach().cpu().clone()
            for key in ("segments", "scores", "labels")
        }
    except (KeyError, AttributeError) as error:
        raise ValueError(f"pred_instances of {where} need segments, scores and labels") from error
    segments = fields["segments"] = fields["segments"].reshape(-1, 2)
    if not (segments.isfinite().all() and fields["scores"].isfinite().all()):
        raise ValueError(
            f"the predictions of {where} are NaN or infinite; the model has diverged or its "
            "weights were not loaded"
        )
    if (segments[:, 0] > segments[:, 1]).any():
        raise ValueError(f"the predictions of {where} have segments that end before they start")
    return fields


def extent_of(sample: Mapping[str, Any]) -> tuple[float, float] | None:
    """Start and end of a window in seconds; None if it has no grid."""
    grid = sample.get("grid")
    return None if grid is None else grid.extent


def group_windows(
    results: Iterable[dict[str, Any]], videos: Sequence[str]
) -> dict[str, dict[int, dict[str, Any]]]:
    """Entries by video (in the order of the dataset) and window; the first of repeated ones."""
    windows: dict[str, dict[int, dict[str, Any]]] = {video: {} for video in videos}
    for entry in results:
        windows.setdefault(entry["video_id"], {}).setdefault(entry["window_index"], entry)
    return windows


def report_errors(windows: Mapping[str, Mapping[int, dict[str, Any]]]) -> None:
    """One line per video with unreadable windows, and their number."""
    damaged = empty = 0
    for video, entries in windows.items():
        errors = [entry["error"] for entry in entries.values() if entry["error"] is not None]
        if not errors:
            continue
        damaged += 1
        empty += len(errors) == len(entries)
        print_log(
            f"video '{video}': {len(errors)} of {len(entries)} windows could not be read: "
            f"{errors[0]}",
            logger="current",
            level=logging.WARNING,
        )
    if damaged:
        print_log(
            f"{damaged} of {len(windows)} videos could not be read completely; "
            f"{empty} of them count as empty predictions",
            logger="current",
            level=logging.WARNING,
        )


def join_windows(windows: Sequence[InstanceData], duration: float | None = None) -> InstanceData:
    """All predictions of a video by falling score, within its duration in seconds if known."""
    joined = InstanceData.cat(list(windows))
    if duration is not None:
        joined.segments = joined.segments.clamp(min=0, max=duration)
    return joined[torch.argsort(joined.scores, descending=True, stable=True)]


def to_results(instances: InstanceData, classes: Sequence[str], video: str) -> list[dict[str, Any]]:
    """Detections of a video in the ActivityNet result format.

    Raises:
        ValueError: If a label is outside the class names.
    """
    labels = instances.labels.tolist()
    if labels and not 0 <= min(labels) <= max(labels) < len(classes):
        raise ValueError(
            f"video '{video}' has a prediction of class {max(labels, key=abs)}, but the dataset "
            f"has {len(classes)} classes; make num_classes of the head agree with it"
        )
    return [
        {"segment": segment, "label": classes[label], "score": score}
        for segment, label, score in zip(
            instances.segments.tolist(), labels, instances.scores.tolist(), strict=True
        )
    ]
