import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mmtad.checkpoints import convert, recognise
from mmtad.ops import roi_align1d
from mmtad.registry import MODELS


def test_names_and_shapes():
    state = {
        "module.projection.convs.0.conv.weight": torch.zeros(8, 2, 3),
        "module.neck.sconvs.0.weight": torch.zeros(4, 16, 1, 1),
        "module.rpn_head.tem.1.0.tconvs.2.bias": torch.zeros(4),
        "module.rpn_head.tem.1.1.conv.bias": torch.zeros(1),
        "module.roi_head.proposal_roi_extractor.gcnext.sconvs.4.weight": torch.zeros(8, 4, 1, 1),
        "module.roi_head.proposal_roi_extractor.conv2d.0.weight": torch.zeros(8, 9, 1, 1),
        "module.roi_head.proposal_head.head.2.0.weight": torch.zeros(4, 4, 3, 3),
        "module.roi_head.proposal_head.head.3.weight": torch.zeros(2, 4, 1, 1),
        "module.backbone.model.conv.weight": torch.zeros(1),
    }
    assert recognise(state) == ["opentad_gtad"]
    shapes = {k: tuple(v.shape) for k, v in convert(state, "opentad_gtad").items()}
    assert shapes == {
        "projection.convs.0.weight": (8, 2, 3),
        "neck.blocks.0.semantic_in.weight": (4, 16, 1),
        "head.towers.1.block.temporal_conv.bias": (4,),
        "head.towers.1.out.bias": (1,),
        "head.extractor.graph.semantic_out.weight": (8, 4, 1),
        "head.extractor.bin_conv.weight": (8, 9, 1, 1),
        "head.map_convs.2.weight": (4, 4, 3, 3),
        "head.map_out.weight": (2, 4, 1, 1),
        "backbone.model.conv.weight": (1,),
    }


def test_one_tower_for_both_boundaries():
    state = {
        "rpn_head.tem.0.conv.weight": torch.zeros(8, 2, 3),
        "rpn_head.tem.1.conv.weight": torch.zeros(2, 8, 1),
        "roi_head.proposal_roi_extractor.reduce_dim.0.bias": torch.zeros(4),
        "roi_head.proposal_roi_extractor.conv3d.0.bias": torch.zeros(4),
        "roi_head.proposal_roi_extractor.conv2d.0.bias": torch.zeros(4),
    }
    assert recognise(state) == ["opentad_bmn"]
    assert set(convert(state, "opentad_bmn")) == {
        "head.towers.0.block.weight",
        "head.towers.0.out.weight",
        "head.extractor.reduce.bias",
        "head.extractor.point_conv.bias",
        "head.extractor.cell_conv.bias",
    }


@pytest.mark.parametrize("case", ["bmn", "gtad"])
def test_golden_files_are_recognised(golden, case):
    state, _, _ = golden(case)
    assert recognise(state) == [f"opentad_{case}"]
    converted = convert(state, f"opentad_{case}")
    assert len(converted) == len(state)
    assert all(key.startswith(("projection.", "neck.", "head.")) for key in converted)
    # The same behind the adapted backbone of AdaTAD.
    state["backbone.model.backbone.blocks.0.adapter.gamma"] = torch.ones(1)
    whole = convert(state, "opentad_adatad")
    assert whole.keys() == converted.keys() | {"backbone.backbone.blocks.0.adapter.gamma"}


class Graph(nn.Module):
    """GCNeXt by its definition, with the names of the authors' repository."""

    def __init__(self, channels, width=128):
        super().__init__()
        self.tconvs = nn.Sequential(
            nn.Conv1d(channels, width, 1),
            nn.ReLU(),
            nn.Conv1d(width, width, 3, padding=1, groups=32),
            nn.ReLU(),
            nn.Conv1d(width, channels, 1),
        )
        self.sconvs = nn.Sequential(
            nn.Conv2d(2 * channels, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1, groups=32),
            nn.ReLU(),
            nn.Conv2d(width, channels, 1),
        )

    def forward(self, x):
        pairs = [neighbours(x), x[..., None].expand(*x.shape, 3)]
        semantic = self.sconvs(torch.cat(pairs, dim=1)).amax(-1)
        return (self.tconvs(x) + x + semantic).relu()


def neighbours(x):
    """Features of the 3 nearest steps ``[B, C, T, 3]``."""
    steps = torch.cdist(x.mT, x.mT).topk(3, largest=False).indices
    return torch.stack([sample[:, index] for sample, index in zip(x, steps, strict=True)])


class OfficialGTAD(nn.Module):
    """The whole network by its definition, with the names of the authors' repository."""

    def __init__(self, steps=12, durations=6, kernel=3):
        super().__init__()
        self.steps, self.durations = steps, durations
        self.backbone1 = nn.Sequential(
            nn.Conv1d(8, 16, 3, padding=1, groups=4), nn.ReLU(), Graph(16)
        )
        self.backbone2 = nn.Sequential(Graph(16))
        self.regu_s = nn.Sequential(Graph(16), nn.Conv1d(16, 1, 1))
        self.regu_e = nn.Sequential(Graph(16), nn.Conv1d(16, 1, 1))
        layers, widths = [], [16 * 36, 10, 6, 6, 6]
        for index, size in enumerate([1, 1, kernel, kernel]):
            conv = nn.Conv2d(widths[index], widths[index + 1], size, padding=size // 2)
            layers += [conv, nn.ReLU()]
        self.localization = nn.Sequential(*layers, nn.Conv2d(6, 2, 1))

    def forward(self, x):
        base = self.backbone1(x)
        graph = self.backbone2(base)
        anchors = torch.zeros(self.durations, self.steps, 2, dtype=x.dtype)
        for d in range(self.durations):
            for t in range(self.steps - d):
                anchors[d, t] = torch.tensor([t - (d + 1) / 2, t + d + (d + 1) / 2])
        anchors = anchors.flatten(0, 1).expand(len(x), -1, -1)
        bins = [
            roi_align1d(graph, anchors, 32),
            roi_align1d(neighbours(graph).mean(-1), anchors, 4),
        ]
        rows = torch.cat(bins, dim=3).flatten(2).mT.unflatten(2, (self.durations, self.steps))
        return self.regu_s(base), self.regu_e(base), self.localization(rows)


def test_official_gtad_gives_the_same_outputs():
    torch.manual_seed(0)
    theirs = OfficialGTAD().double()
    state = {f"module.{key}": value for key, value in theirs.state_dict().items()}
    assert recognise(state) == ["gtad"]
    model = MODELS.build(
        dict(
            type="TADDetector",
            projection=dict(type="ConvProjection", in_channels=8, out_channels=16, num_convs=1),
            neck=dict(type="GCNeXtNeck", channels=16, preset="official"),
            head=dict(
                type="BoundaryMapHead",
                in_channels=16,
                num_steps=12,
                num_durations=6,
                boundary_block="gcnext",
                boundary_groups=32,
                extractor=dict(type="SubGraphAlignment"),
                extractor_channels=10,
                feat_channels=6,
                num_convs=3,
                kernel_size=[1, 3, 3],
                preset="official",
            ),
        )
    ).double()
    model.load_state_dict(convert(state, "gtad"))
    x, mask = torch.randn(2, 8, 12, dtype=torch.float64), torch.ones(2, 12, dtype=torch.bool)
    start, end, maps = theirs(x)
    outputs = model(x, mask)
    assert_close(outputs.boundary_logits, torch.cat([start, end], dim=1))
    # The repository gives the regression first; weights of the samples are stored in float32.
    assert_close(outputs.map_logits, maps.flip(1), rtol=1e-5, atol=1e-6)
