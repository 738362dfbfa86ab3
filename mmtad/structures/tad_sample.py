"""What travels with the tensors of one window of one video."""

from mmengine.structures import BaseDataElement, InstanceData


class TADDataSample(BaseDataElement):
    """Ground truth, predictions and metainfo of one window (or of a whole video).

    ``gt_instances`` and ``pred_instances`` are ``InstanceData`` with ``segments`` float ``[N, 2]``
    (start, end), ``labels`` int64 ``[N]`` and, for predictions, ``scores`` float ``[N]``. Ground
    truth is in grid units of the window, predictions are in seconds. Metainfo: ``video_id`` (str),
    ``grid`` (:class:`TemporalGrid`), ``window_index`` (int) and, when the window could not be
    decoded, ``error`` (str).
    """

    @property
    def gt_instances(self) -> InstanceData:
        """Annotated actions of the window, grid units."""
        return self._gt_instances

    @gt_instances.setter
    def gt_instances(self, value: InstanceData) -> None:
        self.set_field(value, "_gt_instances", dtype=InstanceData)

    @gt_instances.deleter
    def gt_instances(self) -> None:
        del self._gt_instances

    @property
    def pred_instances(self) -> InstanceData:
        """Detected actions, seconds."""
        return self._pred_instances

    @pred_instances.setter
    def pred_instances(self, value: InstanceData) -> None:
        self.set_field(value, "_pred_instances", dtype=InstanceData)

    @pred_instances.deleter
    def pred_instances(self) -> None:
        del self._pred_instances
