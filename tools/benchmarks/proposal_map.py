"""Time and memory of the proposal maps of BMN and G-TAD, beside the plain way to compute them.

    python tools/benchmarks/proposal_map.py

The plain way multiplies the features by the dense sampling matrix (BMN), or gathers the aligned
features of every proposal (G-TAD), and convolves those; same weights, same results. Each row runs
in a process of its own, forward and backward in single precision on the CPU. Time is that of the
process's threads together, the median of the runs after a first one; memory is what the process
takes beyond what it held before the first step, model, data and matrix included.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from mmtad.models.layers import mean_of_neighbours
from mmtad.ops import BoundarySampling, proposal_segments, roi_align1d
from mmtad.registry import MODELS

# Detector: steps, durations, batch, channels of the input, bins (G-TAD).
SIZES = {
    "bmn-activitynet": ("bmn", 100, 100, 16, 400, None),
    "bmn-thumos14": ("bmn", 128, 64, 16, 2048, None),
    "gtad-activitynet": ("gtad", 100, 100, 16, 400, (32, 4)),
    "gtad-thumos14": ("gtad", 256, 64, 8, 2048, (16, 16)),
}
WAYS = ("sparse", "dense")
PARTS = ("extractor", "detector")


def build(size: str) -> nn.Module:
    """The detector on features, at full size, in training mode."""
    kind, steps, durations, _, channels, bins = SIZES[size]
    head = dict(type="mmtad.BoundaryMapHead", num_steps=steps, num_durations=durations)
    if kind == "gtad":
        extractor = dict(type="mmtad.SubGraphAlignment", roi_size=bins[0], context_size=bins[1])
        head |= dict(boundary_block="gcnext", boundary_groups=32, extractor=extractor)
        head |= dict(extractor_channels=512, num_convs=3, kernel_size=1 if durations > 64 else 3)
    projection = dict(
        type="mmtad.ConvProjection", in_channels=channels, num_convs=2 if kind == "bmn" else 1
    )
    neck = dict(type="mmtad.GCNeXtNeck") if kind == "gtad" else None
    return MODELS.build(
        dict(type="mmtad.TADDetector", projection=projection, neck=neck, head=head)
    ).train()


class DenseBoundaryMatching(nn.Module):
    """The BMN layer with a dense matrix ``[T, N, D, T]``, sharing the weights of ours."""

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.inner = extractor
        steps = extractor.num_steps
        sampling = BoundarySampling(steps, extractor.num_durations)
        self.register_buffer("matrix", sampling(torch.eye(steps)[None])[0].contiguous())

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Features ``[B, C, T]`` to the map ``[B, C, D, T]``."""
        x = F.relu(self.inner.reduce(x))
        points = torch.tensordot(x, self.matrix, dims=([2], [0])).flatten(3)
        rows = F.relu(self.inner.point_conv(points)).squeeze(2)
        rows = rows.unflatten(2, self.matrix.shape[-2:])
        return F.relu(self.inner.cell_conv(rows))


class GatheredAlignment(nn.Module):
    """The alignment of G-TAD proposal by proposal, sharing the weights of ours."""

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.inner = extractor
        segments, valid = proposal_segments(extractor.num_steps, extractor.num_durations)
        margin = (segments[..., 1:] - segments[..., :1]) / 2
        anchors = (segments + margin * torch.tensor([-1.0, 1.0])) * valid[..., None]
        self.register_buffer("anchors", anchors.flatten(0, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Features ``[B, C, T]`` to the map ``[B, C, D, T]``."""
        x = self.inner.graph(x, mask)
        anchors = self.anchors.expand(len(x), -1, -1)
        parts = [
            roi_align1d(feature, anchors, bins)
            for feature, bins in zip(
                (x, mean_of_neighbours(x, self.inner.k, mask)), self.inner.sizes, strict=True
            )
        ]
        rows = torch.cat(parts, dim=3).flatten(2).transpose(1, 2)
        size = (self.inner.num_durations, self.inner.num_steps)
        return F.relu(self.inner.bin_conv(rows.unflatten(2, size)))


def measure(size: str, way: str, part: str, runs: int) -> dict[str, float]:
    """Time and memory of one row, in this process."""
    torch.manual_seed(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kind, steps, _, batch, channels, _ = SIZES[size]
    model = build(size)
    if way == "dense":
        dense = DenseBoundaryMatching if kind == "bmn" else GatheredAlignment
        model.head.extractor = dense(model.head.extractor)
    mask = torch.ones(batch, steps, dtype=torch.bool)
    x = torch.randn(batch, 256 if part == "extractor" else channels, steps)
    truth = InstanceData(segments=torch.tensor([[5.0, 40.0], [50.0, 60.0]]))
    times = []
    for _ in range(runs + 1):
        start = time.process_time()
        if part == "extractor":
            loss = model.head.extractor(x.requires_grad_(), mask).mean()
        else:
            features = model.extract_features(x, mask)
            loss = sum(model.head.loss(*features, [truth] * batch).values())
        loss.backward()
        times.append(time.process_time() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return dict(seconds=statistics.median(times[1:]), mib=(after - before) / 1024)


def main() -> None:
    """Measure every row and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--batch", type=int, help="instead of the batch sizes of the papers")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.batch:
        for name, options in SIZES.items():
            SIZES[name] = (*options[:3], args.batch, *options[4:])
    if args.row:
        Console().print_json(json.dumps(measure(*args.row, args.runs)))
        return
    table = Table("size", "part", "way", "CPU seconds", "MiB")
    for size in args.sizes:
        for part in args.parts:
            for way in args.ways:
                command = [sys.executable, __file__, "--row", size, way, part]
                command += ["--runs", str(args.runs)]
                command += ["--batch", str(args.batch)] if args.batch else []
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    table.add_row(size, part, way, "failed", done.stderr.splitlines()[-1][:60])
                    continue
                found = json.loads(done.stdout)
                table.add_row(size, part, way, f"{found['seconds']:.2f}", f"{found['mib']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
