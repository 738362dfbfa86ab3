"""Tiny videos whose frames tell their number."""

import cv2
import numpy as np
import pytest

FPS = 25


def write_numbered(path, frames, size=(64, 48)):
    """Frame i has the grey value 4 * i in the middle; a bright bar at the left marks the side."""
    width, height = size
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, size)
    for number in range(frames):
        frame = np.full((height, width, 3), min(4 * number, 255), np.uint8)
        frame[:, : width // 8] = 255
        writer.write(frame)
    writer.release()


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Folder with v0.mp4, v1.mp4, v2.mp4 of 40, 50 and 60 frames at 25 fps, 64 x 48 pixels."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        write_numbered(folder / f"v{number}.mp4", 40 + 10 * number)
    return folder


@pytest.fixture
def database():
    """Annotation of ``videos``; v1 has two actions."""

    def video(frames, *segments):
        return dict(
            subset="train",
            duration=frames / FPS,
            fps=FPS,
            frame=frames,
            annotations=[dict(segment=[a, b], label=label) for a, b, label in segments],
        )

    return {
        "v0": video(40, (0.2, 0.8, "jump")),
        "v1": video(50, (0.4, 0.8, "run"), (1.0, 1.8, "jump")),
        "v2": video(60, (1.2, 2.0, "run")),
    }


@pytest.fixture
def train_pipeline():
    return [
        dict(type="OpenVideo", short_side=36),
        dict(type="SampleFrames"),
        dict(type="DecodeFrames"),
        dict(type="RandomResizedCrop", size=32),
        dict(type="Flip"),
        dict(type="RandAugment"),
        dict(type="ColorJitter"),
        dict(type="PackTADInputs"),
    ]


@pytest.fixture
def test_pipeline():
    return [
        dict(type="OpenVideo", short_side=32),
        dict(type="SampleFrames"),
        dict(type="DecodeFrames"),
        dict(type="CenterCrop", size=32),
        dict(type="PackTADInputs"),
    ]


@pytest.fixture
def logged(monkeypatch):
    """What the modules of the dataset write to the log, in this process."""
    messages = []
    for module in ("annotations", "annotated"):
        monkeypatch.setattr(
            f"mmtad.datasets.{module}.print_log",
            lambda text, *args, **kwargs: messages.append(text),
        )
    return messages
