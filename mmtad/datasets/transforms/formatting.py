"""The last step of a pipeline: tensors and a data sample."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData

from ...registry import TRANSFORMS
from ...structures import TADDataSample
from .base import Transform


@TRANSFORMS.register_module()
class PackTADInputs(Transform):
    """Pack a sample: ``inputs``, ``masks`` and ``data_samples``.

    ``inputs`` is uint8 ``[C, T, H, W]`` from ``frames`` (a view of channels-last memory, nothing is
    copied), or float ``[C, T]`` from ``features``. ``masks`` is bool ``[T']``. The data sample
    holds ``gt_instances`` (``segments`` float32 ``[N, 2]`` in steps of the grid, ``labels`` int64
    ``[N]``).

    Args:
        meta_keys: Entries of the sample to keep as metainfo, where present.
        class_agnostic: Label every action 0, for a detector with the single class "action".
    """

    def __init__(
        self,
        meta_keys: Sequence[str] = ("video_id", "grid", "window_index", "duration", "error"),
        class_agnostic: bool = False,
    ):
        self.meta_keys = tuple(meta_keys)
        self.class_agnostic = class_agnostic

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Make the packed sample; pending work on the frames is done here.

        Raises:
            ValueError: If there are neither ``frames`` nor ``features``.
            VideoReadError: If the frames cannot be decoded.
        """
        if "frames" in results:
            inputs = torch.from_numpy(np.asarray(results["frames"])).permute(3, 0, 1, 2)
        elif "features" in results:
            inputs = torch.as_tensor(results["features"])
        else:
            raise ValueError(
                f"nothing to pack for video {results.get('video_id')!r}: the pipeline made neither "
                "'frames' (DecodeFrames) nor 'features'"
            )
        labels = torch.as_tensor(results["gt_labels"], dtype=torch.int64)
        instances = InstanceData(
            segments=torch.as_tensor(results["gt_segments"], dtype=torch.float32).reshape(-1, 2),
            labels=torch.zeros_like(labels) if self.class_agnostic else labels,
        )
        metainfo = {key: results[key] for key in self.meta_keys if results.get(key) is not None}
        sample = TADDataSample(gt_instances=instances, metainfo=metainfo)
        return dict(inputs=inputs, masks=torch.as_tensor(results["masks"]), data_samples=sample)
