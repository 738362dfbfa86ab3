"""Drawing of the synthetic benchmark: one moving object before a living background.

Everything here works in frames and in shares of the picture's side and draws with the generator it
is given. ``synthetic_plan.py`` decides what happens when, ``synthetic.py`` writes it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SUBPIXEL_BITS = 4  # OpenCV draws polygons at 1/16 pixel: slow motion does not stutter

# Outlines within the unit circle, none with a rotational symmetry: a turn is always visible.
SHAPES: dict[str, list[tuple[float, float]]] = {
    "arrow": [(1, 0), (0, 0.8), (0, 0.35), (-1, 0.35), (-1, -0.35), (0, -0.35), (0, -0.8)],
    "kite": [(1, 0), (-0.2, 0.7), (-0.8, 0), (-0.2, -0.7)],
    "boot": [(-0.6, -0.9), (0.1, -0.9), (0.1, 0.2), (0.9, 0.3), (0.9, 0.9), (-0.6, 0.9)],
    "flag": [(-0.8, -0.8), (0.9, -0.4), (-0.4, 0.2), (-0.4, 0.9), (-0.8, 0.9)],
    "wedge": [(0.95, 0), (-0.7, 0.75), (-0.7, -0.75)],
}


@dataclass(frozen=True)
class SceneStyle:
    """How a scene looks beside the action itself. Lengths are shares of the picture's side.

    Args:
        texture: Contrast of the background texture, 0 (plain) to 1.
        background_speed: How far the background drifts per second.
        brightness: Largest slow change of the picture's brightness (0.2: from 80 % to 120 %).
        distractors: Largest number of smaller objects that float about without doing any action.
        drift: How far the object wanders around its place, idle or acting.
        jitter: Standard deviation of the object's trembling from frame to frame.
    """

    texture: float = 0.35
    background_speed: float = 0.04
    brightness: float = 0.15
    distractors: int = 2
    drift: float = 0.04
    jitter: float = 0.003

    def __post_init__(self) -> None:
        if not 0 <= self.texture <= 1:
            raise ValueError(f"texture must lie between 0 and 1, got {self.texture}")
        for name in ("background_speed", "brightness", "distractors", "drift", "jitter"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


@dataclass
class Track:
    """Where and how the object is in every frame; all arrays float64 [T].

    ``x``, ``y`` and ``radius`` are shares of the picture's side, ``angle`` is in radians (growing
    clockwise on the screen), ``gain`` is the brightness of the object (1: normal).
    """

    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    radius: np.ndarray
    gain: np.ndarray


def _swing(u: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * u)


def _slide(u: np.ndarray) -> np.ndarray:
    """Even motion from -1 to 1 in each cycle, with a jump back; 0 at whole cycles."""
    return 2 * ((u + 0.5) % 1.0) - 1


def _circle(u: np.ndarray, amplitude: float, start: float) -> dict[str, np.ndarray]:
    """Clockwise on the screen for growing ``u``; leaves the circle's point ``start`` (cycles)."""
    now, begin = 2 * np.pi * (u + start), 2 * np.pi * start
    radius = 0.8 * amplitude
    return {
        "x": radius * (np.cos(now) - np.cos(begin)),
        "y": radius * (np.sin(now) - np.sin(begin)),
    }


# Each motion changes a track, given the cycles u [n] passed so far, the amplitude a (share of the
# side) and a random phase p (0 to 1). All come back to their start after whole cycles, so that only
# the motion tells an action from a rest. "spin" and "circle" go either way round.
MOTIONS: dict[str, Callable[[np.ndarray, float, float], dict[str, np.ndarray]]] = {
    "spin": lambda u, a, p: {"angle": 2 * np.pi * (u if p < 0.5 else -u)},
    "spin_clockwise": lambda u, a, p: {"angle": 2 * np.pi * u},
    "spin_counterclockwise": lambda u, a, p: {"angle": -2 * np.pi * u},
    "circle": lambda u, a, p: _circle(u if p < 0.5 else -u, a, 2 * p),
    "circle_clockwise": lambda u, a, p: _circle(u, a, p),
    "circle_counterclockwise": lambda u, a, p: _circle(-u, a, p),
    "sway": lambda u, a, p: {"x": a * _swing(u)},
    "hop": lambda u, a, p: {"y": a * _swing(u)},
    "rock": lambda u, a, p: {"angle": 0.9 * _swing(u)},
    "pulse": lambda u, a, p: {"radius": np.exp(0.45 * _swing(u))},
    "blink": lambda u, a, p: {"gain": 0.65 + 0.35 * np.cos(2 * np.pi * u)},
    "slide_left": lambda u, a, p: {"x": -a * _slide(u)},
    "slide_right": lambda u, a, p: {"x": a * _slide(u)},
    "slide_up": lambda u, a, p: {"y": -a * _slide(u)},
    "slide_down": lambda u, a, p: {"y": a * _slide(u)},
    "grow": lambda u, a, p: {"radius": np.exp(0.45 * _slide(u))},
    "shrink": lambda u, a, p: {"radius": np.exp(-0.45 * _slide(u))},
    "still": lambda u, a, p: {},
}


def _wander(n: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth wandering within -1 to 1, float64 [n]: two slow waves of random period (5 to 11 s)."""
    time = np.arange(n) / fps
    periods, phases = rng.uniform(5, 11, 2), rng.uniform(0, 2 * np.pi, 2)
    return np.sin(2 * np.pi * time[:, None] / periods + phases).mean(axis=1)


def make_track(
    actions: Sequence[tuple[int, int, str]],
    frames: int,
    fps: float,
    style: SceneStyle,
    rng: np.random.Generator,
) -> Track:
    """Plan the object's way through a video.

    Args:
        actions: (first frame, end frame, motion) of each action. The first visible change is from
            frame ``first`` to the next; the object rests again from frame ``end`` on.
        frames: Length of the video.
        fps: Frames per second.
        style: Wandering and trembling outside and inside the actions.
        rng: Source of every choice.

    Returns:
        The track over all frames.
    """
    radius, amplitude = rng.uniform(0.16, 0.24), rng.uniform(0.18, 0.25)
    home = rng.uniform(0.42, 0.58, 2)
    wander = [style.drift * _wander(frames, fps, rng) for _ in range(2)]
    tremble = rng.normal(0, style.jitter, (2, frames))
    track = Track(
        x=home[0] + wander[0] + tremble[0],
        y=home[1] + wander[1] + tremble[1],
        angle=rng.uniform(0, 2 * np.pi) + 5 * style.drift * _wander(frames, fps, rng),
        radius=np.full(frames, radius),
        gain=np.ones(frames),
    )
    for first, end, motion in actions:
        cycles = max(1, round(rng.uniform(0.6, 1.0) * (end - first) / fps))
        u = cycles * np.arange(end - first) / (end - first)
        for field, change in MOTIONS[motion](u, amplitude, rng.uniform()).items():
            values = getattr(track, field)[first:end]
            if field in ("radius", "gain"):
                values *= change
            else:
                values += change
    return track


def make_texture(side: int, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """A dark cloudy texture, uint8 [side, side, 3], that repeats without a visible seam."""
    noise = np.zeros((side, side, 3), np.float32)
    for cells in (8, 24):
        grid = rng.standard_normal((cells, cells, 3)).astype(np.float32)
        margin = -(-2 * side // cells)  # two cells: as far as the cubic filter reaches
        grid = cv2.copyMakeBorder(grid, 2, 2, 2, 2, cv2.BORDER_WRAP)
        layer = cv2.resize(grid, (side + 2 * margin,) * 2, interpolation=cv2.INTER_CUBIC)
        noise += layer[margin : margin + side, margin : margin + side]
    base = rng.uniform(35, 75, 3)
    return np.clip(base + 25 * contrast * noise, 0, 160).astype(np.uint8)


def _colour(rng: np.random.Generator) -> np.ndarray:
    """A bright colour of any hue, float64 [3] (BGR)."""
    hsv = np.uint8([[[rng.integers(180), rng.integers(60, 200), rng.integers(200, 256)]]])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(float)


def _draw(frame: np.ndarray, outline: np.ndarray, x, y, angle, radius, colour) -> None:
    """Draw an outline [P, 2] into a frame, in place; lengths in shares of the side."""
    cos, sin = np.cos(angle), np.sin(angle)
    points = outline @ np.array([[cos, sin], [-sin, cos]]) * radius + (x, y)
    points = np.round(points * len(frame) * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(frame, [points], tuple(map(float, colour)), cv2.LINE_AA, SUBPIXEL_BITS)


def _make_distractors(frames: int, fps: float, style: SceneStyle, rng: np.random.Generator) -> list:
    """Small objects that float straight on through the picture, bounce at its rim and never act."""
    time, distractors = np.arange(frames) / fps, []
    for _ in range(int(rng.integers(style.distractors + 1)) if style.distractors else 0):
        outline = np.array(SHAPES[str(rng.choice(list(SHAPES)))])
        way = rng.uniform(0, 2, 2) + rng.uniform(-0.12, 0.12, 2) * time[:, None]
        xy = 1 - np.abs(way % 2 - 1)  # a triangle wave: reflected at 0 and 1
        distractors.append(
            (outline, xy, rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.08), _colour(rng))
        )
    return distractors


def render(
    track: Track, size: int, fps: float, style: SceneStyle, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Draw a track frame by frame.

    Args:
        track: The object's way.
        size: Side of the square picture in pixels.
        fps: Frames per second, for the speed of the background.
        style: Background, brightness and distractors.
        rng: Source of every choice.

    Yields:
        uint8 [size, size, 3] in OpenCV's order (BGR).
    """
    frames = len(track.x)
    texture = make_texture(2 * size, style.texture, rng)
    heading, origin = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * size, 2)
    velocity = style.background_speed * size / fps * np.array([np.cos(heading), np.sin(heading)])
    brightness = 1 + style.brightness * _wander(frames, fps, rng)
    distractors = _make_distractors(frames, fps, style, rng)
    outline, colour = np.array(SHAPES[str(rng.choice(list(SHAPES)))]), _colour(rng)
    mark = 0.3 * outline + (0.3, 0)
    for t in range(frames):
        shift = np.float32([[1, 0, 0], [0, 1, 0]])
        shift[:, 2] = origin + velocity * t
        frame = cv2.warpAffine(
            texture,
            shift,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )
        for shape, xy, angle, radius, tint in distractors:
            _draw(frame, shape, *xy[t], angle, radius, tint)
        pose = (track.x[t], track.y[t], track.angle[t], track.radius[t])
        _draw(frame, outline, *pose, colour * track.gain[t])
        _draw(frame, mark, *pose, 0.25 * colour * track.gain[t])
        yield cv2.convertScaleAbs(frame, alpha=float(brightness[t]))
