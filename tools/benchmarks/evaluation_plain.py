"""The measures written down directly, without any thought of speed: a check and a yardstick."""

from collections import defaultdict

import numpy as np


def plain_mean_average_precision(
    ground_truth: dict, predictions: dict, thresholds: list[float]
) -> float:
    """The definition written down directly, without any thought of speed."""
    actions = defaultdict(lambda: defaultdict(list))
    for video, info in ground_truth["database"].items():
        for annotation in info["annotations"]:
            actions[annotation["label"]][video].append(annotation["segment"])
    detections = defaultdict(list)
    for video, items in predictions["results"].items():
        for item in items:
            detections[item["label"]].append((item["score"], video, item["segment"]))
    means = []
    for label, by_video in actions.items():
        found = sorted(detections[label], key=lambda item: -item[0])
        total = sum(len(segments) for segments in by_video.values())
        taken = {(t, v): [False] * len(s) for t in thresholds for v, s in by_video.items()}
        for threshold in thresholds:
            hits = np.zeros(len(found))
            for rank, (_, video, (start, end)) in enumerate(found):
                if video not in by_video:
                    continue
                candidates = np.array(by_video[video])
                inter = np.minimum(candidates[:, 1], end) - np.maximum(candidates[:, 0], start)
                inter = inter.clip(0)
                overlap = inter / (candidates[:, 1] - candidates[:, 0] + end - start - inter)
                for best in np.argsort(-overlap):
                    if overlap[best] < threshold:
                        break
                    if not taken[threshold, video][best]:
                        taken[threshold, video][best] = True
                        hits[rank] = 1
                        break
            precision = hits.cumsum() / np.arange(1, len(found) + 1)
            envelope = np.maximum.accumulate(precision[::-1])[::-1]
            means.append((hits * envelope).sum() / total)
    return float(np.mean(means))


def plain_average_recall(
    ground_truth: dict, predictions: dict, thresholds: list[float], largest: int = 100
) -> float:
    """Area under AR@AN: a matrix of overlaps per video, cut once for every AN and threshold."""
    overlaps, counts = [], []
    for video, info in ground_truth["database"].items():
        actions = np.array([one["segment"] for one in info["annotations"]]).reshape(-1, 2)
        found = sorted(predictions["results"].get(video, []), key=lambda item: -item["score"])
        segments = np.array([one["segment"] for one in found]).reshape(-1, 2)
        if len(actions):
            starts = np.maximum(actions[:, None, 0], segments[None, :, 0])
            ends = np.minimum(actions[:, None, 1], segments[None, :, 1])
            inter = (ends - starts).clip(0)
            lengths = (actions[:, 1] - actions[:, 0])[:, None] + segments[:, 1] - segments[:, 0]
            overlaps.append(inter / (lengths - inter))
            counts.append(len(found))
    ratio = largest * len(counts) / sum(counts)
    kept = [min(int(count * ratio), count) for count in counts]
    recall = []
    for number in range(1, largest + 1):
        share = number / largest * (largest * len(counts) / sum(kept))
        budgets = [min(int(count * share), count) for count in kept]
        recall.append(
            np.mean(
                [
                    sum(
                        (overlap[:, :budget] >= threshold).any(axis=1).sum()
                        for overlap, budget in zip(overlaps, budgets, strict=True)
                    )
                    for threshold in thresholds
                ]
            )
            / sum(map(len, overlaps))
        )
    return float(np.mean([(x + y) / 2 for x, y in zip(recall, recall[1:], strict=False)])) * (
        1 - 1 / largest
    )
