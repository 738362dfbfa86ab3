import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmtad.engine.resuming import check_resumable


def wrapper(*names, bias=True):
    layers = {name: nn.Linear(2, 2, bias=bias) for name in names}
    groups = [dict(params=list(layer.parameters()), name=name) for name, layer in layers.items()]
    return OptimWrapper(torch.optim.SGD(groups, lr=0.1))


def test_own_checkpoints_go_on():
    ours = wrapper("adapter", "detector")
    state = ours.optimizer.state_dict()
    check_resumable(dict(optimizer=state, message_hub={}), ours, "epoch_1.pth")


def test_weights_alone_do_not():
    with pytest.raises(ValueError, match="release.pth holds weights .* load_from=release.pth"):
        check_resumable(dict(state_dict={}), wrapper("adapter"), "release.pth")


@pytest.mark.parametrize("other", [wrapper("detector"), wrapper("adapter", bias=False)])
def test_other_parameters_do_not(other):
    state = dict(optimizer=wrapper("adapter").optimizer.state_dict(), message_hub={})
    with pytest.raises(ValueError, match="trained 2 parameters in the group 'adapter' and this"):
        check_resumable(state, other, "epoch_1.pth")
