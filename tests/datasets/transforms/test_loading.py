import cv2
import decord
import numpy as np
import pytest

from mmtad.datasets.transforms import DecodeFrames, OpenVideo, VideoReadError
from mmtad.datasets.transforms.loading import BlankReader, VideoFrames, VideoReader, probe_video

REAL = [
    "mmaction2/demo.mp4",
    "mmaction2/part_0.mp4",
    "mmaction2/test.avi",
    "mmaction2/test_video_structuralize.mp4",
    "mmaction2/demo_spatiotemporal_det.mp4",
    "decord/flipping_a_pancake.mkv",
]


@pytest.mark.parametrize("name", REAL)
def test_frames_are_those_of_a_sequential_decoding(shared, name):
    path = str(shared / "data/videos" / name)
    reader = decord.VideoReader(path)
    every = [reader.next().asnumpy()[::8, ::8] for _ in range(len(reader))]
    rng = np.random.default_rng(0)
    indices = np.sort(rng.choice(len(every), min(len(every), 24), replace=False))
    found = np.concatenate(list(VideoFrames(VideoReader(path), indices).chunks()))[:, ::8, ::8]
    assert all(np.array_equal(frame, every[i]) for frame, i in zip(found, indices, strict=True))
    capture = cv2.VideoCapture(path)  # another decoder agrees on the order
    others = [capture.read()[1][::8, ::8, ::-1] for _ in range(len(every))]
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(every, others, strict=True)) < 2


def test_numbered_frames(videos):
    reader = VideoReader(str(videos / "v2.mp4"))
    assert len(reader) == 60 and reader.fps == 25
    indices = np.array([0, 7, 8, 30, 59])
    found = reader.read(indices)
    assert found.shape == (5, 48, 64, 3) and found.dtype == np.uint8
    assert np.abs(found[:, 20:30, 30:50].mean(axis=(1, 2, 3)) - 4 * indices).max() < 4
    assert probe_video(str(videos / "v2.mp4")) == (25, 60)


def test_large_frames_are_scaled_while_decoding(videos):
    path = str(videos / "v0.mp4")
    indices = np.array([5])
    assert VideoReader(path).read(indices).shape == (1, 48, 64, 3)
    assert VideoReader(path, short_side=40).read(indices).shape == (1, 48, 64, 3)
    assert VideoReader(path, short_side=60).read(indices).shape == (1, 48, 64, 3)
    assert VideoReader(path, short_side=24).read(indices).shape == (1, 24, 32, 3)


@pytest.mark.parametrize("short_side", [24, 40])
def test_open_and_decode(videos, short_side):
    results = dict(
        video_id="v0", video_path=str(videos / "v0.mp4"), fps=25, total_frames=40, duration=1.6
    )
    results = OpenVideo(short_side=short_side)(results)
    assert (results["fps"], results["total_frames"], results["warning"]) == (25, 40, None)
    results["frame_inds"] = np.array([3, 5, 5, 20, 39, 39])
    clip = DecodeFrames()(results)["frames"]
    frames = clip.numpy()
    assert frames.shape == clip.shape == (6, short_side, round(short_side * 4 / 3), 3)
    assert np.array_equal(frames[1], frames[2]) and np.array_equal(frames[4], frames[5])
    middle = frames[:, short_side // 2, short_side // 2].mean(axis=-1)
    assert np.abs(middle - 4 * np.array([3, 5, 5, 20, 39, 39])).max() < 5


@pytest.mark.parametrize(
    "said, text",
    [
        (dict(fps=25.2, total_frames=40), None),
        (dict(fps=None, total_frames=None), None),
        (dict(fps=30, total_frames=40), "30 frames per second where the file has 25"),
        (dict(fps=25, total_frames=50), "50 frames where the file has 40"),
    ],
)
def test_disagreement(videos, said, text):
    results = OpenVideo()(dict(video_id="v0", video_path=str(videos / "v0.mp4"), **said))
    assert (results["warning"] is None) if text is None else (text in results["warning"])


def write(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return str(tmp_path / name)


@pytest.mark.parametrize(
    "name, message",
    [
        ("missing.mp4", "missing.mp4 does not exist"),
        ("empty.mp4", r"empty.mp4 is empty \(0 bytes\)"),
        ("text.mp4", "text.mp4 is not a readable video"),
        ("half.mp4", "half.mp4 is not a readable video"),
    ],
)
def test_unreadable_files(videos, tmp_path, name, message):
    sound = (videos / "v0.mp4").read_bytes()
    contents = {"empty.mp4": b"", "text.mp4": b"hello " * 99, "half.mp4": sound[: len(sound) // 2]}
    path = str(tmp_path / name)
    if name in contents:
        path = write(tmp_path, name, contents[name])
    for short_side in (None, 24):
        with pytest.raises(VideoReadError, match=message):
            VideoReader(path, short_side)


def test_damage_found_while_decoding(shared):
    path = str(shared / "data/videos/decord/corrupted.mp4")
    reader = VideoReader(path)
    with pytest.raises(VideoReadError, match="corrupted.mp4 cannot be decoded between frames 0"):
        reader.read(np.arange(len(reader)))


def test_a_truncated_avi_is_short(shared, tmp_path):
    whole = (shared / "data/videos/mmaction2/test.avi").read_bytes()
    reader = VideoReader(write(tmp_path, "half.avi", whole[: len(whole) // 2]))
    assert 10 < len(reader) < 164
    assert len(reader.read(np.arange(len(reader)))) == len(reader)


def test_blank():
    results = dict(error="gone", duration=2.0, fps=None, total_frames=None)
    results = OpenVideo(short_side=24)(results)
    assert (results["fps"], results["total_frames"]) == (25, 50)
    assert results["reader"].read(np.arange(3)).shape == (3, 24, 32, 3)
    assert BlankReader(None, 10, 5).read(np.arange(2)).shape == (2, 240, 320, 3)


def test_wrong_short_side():
    with pytest.raises(ValueError, match="short_side is a number of pixels above 0, got 0"):
        OpenVideo(short_side=0)
