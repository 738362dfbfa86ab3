"""Time and memory of one training step of ActionFormer on features, against a plain restatement.

    python tools/benchmarks/actionformer_step.py

THUMOS14's setting: features [2, 2048, 2304], 15 actions a video, 512 channels, 6 levels, windows of
19 steps, single precision, two threads. A step is forward, backward, clipping and AdamW. The two
take turns, so that a busy machine slows them alike; the peak of memory is that of a process that
takes three steps of one of them. The restatement has convolutions on [B, C, T] memory (also for the
linear layers), norms as means and differences, and explicit attention in overlapping blocks.
"""

import argparse
import multiprocessing
import resource
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from rich.console import Console
from rich.table import Table
from step_time import take_turns
from torch import Tensor, nn

from mmtad.models.heads import AnchorFreeOutputs
from mmtad.registry import MODELS

WIDTH, HEADS, WINDOW, LEVELS = 512, 4, 19, 6


class PlainNorm(nn.Module):
    """Layer norm over the channels of ``[B, C, T]``, written out."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, WIDTH, 1))
        self.bias = nn.Parameter(torch.zeros(1, WIDTH, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise every step."""
        centred = x - x.mean(1, keepdim=True)
        variance = (centred**2).mean(1, keepdim=True)
        return centred / torch.sqrt(variance + 1e-5) * self.weight + self.bias


class PlainUnit(nn.Module):
    """Convolution, mask, norm, ReLU."""

    def __init__(self, channels: int = WIDTH) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, WIDTH, 3, padding=1, bias=False)
        self.norm = PlainNorm()

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Apply the unit to ``[B, C, T]``; the mask is ``[B, 1, T]``."""
        return F.relu(self.norm(self.conv(x) * mask))


class PlainBlock(nn.Module):
    """Transformer block with attention within a window, optionally halving the time."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.norms = nn.ModuleList(PlainNorm() for _ in range(5))
        self.depthwise = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, 3, stride, 1, groups=WIDTH, bias=False) for _ in range(3)
        )
        self.linear = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, 1) for _ in range(4))
        self.mlp = nn.Sequential(
            nn.Conv1d(WIDTH, 4 * WIDTH, 1), nn.GELU(), nn.Conv1d(4 * WIDTH, WIDTH, 1)
        )
        self.scales = nn.ParameterList(torch.full((1, WIDTH, 1), 1e-4) for _ in range(2))

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the block to ``[B, C, T]``; returns the mask of the result too."""
        normed = self.norms[0](x)
        if self.stride > 1:
            x, mask = F.max_pool1d(x, 3, 2, 1), mask[..., ::2]
        query, key, value = (
            linear(norm(conv(normed) * mask))
            for conv, norm, linear in zip(
                self.depthwise, self.norms[1:4], self.linear[:3], strict=True
            )
        )
        out = self.linear[3](windowed_attention(query, key, value, mask)) * mask
        x = x * mask + self.scales[0] * drop_path(out)
        hidden = self.mlp(self.norms[4](x)) * mask
        return x + self.scales[1] * drop_path(hidden), mask


def drop_path(x: Tensor, rate: float = 0.1) -> Tensor:
    """Drop whole samples."""
    kept = (torch.rand(len(x), 1, 1) >= rate).to(x)
    return x / (1 - rate) * kept


def windowed_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Attention to the steps around each, ``[B, C, T]``, in blocks that see their neighbours."""
    length, radius = query.shape[-1], WINDOW // 2
    block = 2 * radius

    def heads(x: Tensor) -> Tensor:
        return x.view(len(x) * HEADS, WIDTH // HEADS, -1).transpose(1, 2)

    queries = heads(query).unflatten(1, (-1, block))
    around = F.pad(heads(key), (0, 0, radius, radius)).unfold(1, 2 * block, block)
    scores = queries @ around * (WIDTH // HEADS) ** -0.5
    near = torch.arange(2 * block) - radius - torch.arange(block)[:, None]
    valid = F.pad(mask[:, 0], (radius, radius)).unfold(1, 2 * block, block)
    allowed = (near.abs() <= radius) & (valid > 0)[:, :, None]
    scores = scores.masked_fill(~allowed.repeat_interleave(HEADS, 0), -1e4)
    values = F.pad(heads(value), (0, 0, radius, radius)).unfold(1, 2 * block, block)
    out = scores.softmax(-1) @ values.transpose(2, 3)
    return out.reshape(-1, length, WIDTH // HEADS).transpose(1, 2).reshape(query.shape)


class PlainActionFormer(nn.Module):
    """Embedding, pyramid, norms and the two towers; the loss is that of our head."""

    def __init__(self, head: nn.Module, channels: int) -> None:
        super().__init__()
        self.embed = nn.ModuleList([PlainUnit(channels), PlainUnit()])
        self.blocks = nn.ModuleList(PlainBlock(1 if i < 2 else 2) for i in range(LEVELS + 1))
        self.neck = nn.ModuleList(PlainNorm() for _ in range(LEVELS))
        self.towers = nn.ModuleList(
            nn.ModuleList([PlainUnit(), PlainUnit(), nn.Conv1d(WIDTH, width, 3, padding=1)])
            for width in (20, 2)
        )
        self.scales = nn.Parameter(torch.ones(LEVELS))
        self.criterion = head

    def loss(self, x: Tensor, valid: Tensor, truth: list[InstanceData]) -> Tensor:
        """Total loss of features ``[B, C, T]`` with the bool mask ``[B, T]``."""
        mask, levels, masks = valid[:, None].to(x), [], []
        for unit in self.embed:
            x = unit(x, mask)
        for i, block in enumerate(self.blocks):
            x, mask = block(x, mask)
            if i:
                levels.append(self.neck[i - 1](x))
                masks.append(mask)
        logits, offsets = [], []
        for x, mask, scale in zip(levels, masks, self.scales, strict=True):
            outs = []
            for first, second, last in self.towers:
                outs.append(last(second(first(x, mask), mask)) * mask)
            logits.append(outs[0])
            offsets.append(F.relu(outs[1] * scale))
        outputs = AnchorFreeOutputs(logits, offsets)
        losses = self.criterion.loss_by_outputs(outputs, [m[:, 0] > 0 for m in masks], truth)
        return sum(losses.values())


def make_step(plain: bool, steps: int, channels: int) -> Callable[[], None]:
    """One training step of either on random features."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmtad"):
        model = MODELS.build(
            dict(
                type="TADDetector",
                projection=dict(type="ConvTransformerProjection", in_channels=channels),
                neck=dict(type="FPNIdentity"),
                head=dict(type="ActionFormerHead", num_classes=20),
            )
        )
    if plain:
        model = PlainActionFormer(model.head, channels)
        unused = [p for name, p in model.criterion.named_parameters()]
        for parameter in unused:
            parameter.requires_grad_(False)
    model.train()
    x = torch.randn(2, channels, steps, generator=generator)
    valid = torch.ones(2, steps, dtype=torch.bool)
    truth = [random_actions(steps, generator) for _ in range(2)]
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=not plain)

    def step() -> None:
        if plain:
            total = model.loss(x, valid, truth)
        else:
            total = sum(model.head.loss(*model.extract_features(x, valid), truth).values())
        total.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def random_actions(steps: int, generator: torch.Generator) -> InstanceData:
    """15 actions anywhere, in steps."""
    starts = torch.rand(15, generator=generator) * 0.95 * steps
    ends = (starts + 4 + 0.05 * steps * torch.rand(15, generator=generator)).clamp(max=steps)
    labels = torch.randint(0, 20, (15,), generator=generator)
    return InstanceData(segments=torch.stack([starts, ends], 1), labels=labels)


def peak_of_process(plain: bool, steps: int, channels: int, threads: int) -> float:
    """Largest resident memory of three steps, in MB."""
    torch.set_num_threads(threads)
    step = make_step(plain, steps, channels)
    for _ in range(3):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="timed steps of either")
    parser.add_argument("--steps", type=int, default=2304, help="length of the features")
    parser.add_argument("--channels", type=int, default=2048, help="channels of the features")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-memory", action="store_true", help="measure the time only")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    size = (args.steps, args.channels)
    peaks = []
    if not args.no_memory:  # first, while this process is small: a child inherits its peak
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            peaks = [pool.apply(peak_of_process, (plain, *size, args.threads)) for plain in (0, 1)]
    own, other = take_turns(make_step(False, *size), make_step(True, *size), args.rounds)
    table = Table(title=f"One training step of ActionFormer on [2, {args.channels}, {args.steps}]")
    for title in ("", "ours", "restatement", "ratio"):
        table.add_column(title, justify="right")
    for name, function in (("median", median), ("fastest", min)):
        a, b = function(own), function(other)
        table.add_row(name, f"{a:.2f} s", f"{b:.2f} s", f"{a / b:.2f}")
    ratio = median(a / b for a, b in zip(own, other, strict=True))
    table.add_row("median of the rounds' ratios", "", "", f"{ratio:.2f}")
    if peaks:
        table.add_row(
            "peak of the process", *(f"{p:,.0f} MB" for p in peaks), f"{peaks[0] / peaks[1]:.2f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
