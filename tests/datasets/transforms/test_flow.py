import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from mmtad.datasets import TADDataset
from mmtad.datasets.flow_extraction import make_flow, plan_jobs
from mmtad.datasets.flow_files import FlowFile, FlowReadError
from mmtad.datasets.optical_flow import FlowSpec, quantize
from mmtad.datasets.transforms import LoadFlow
from mmtad.models.data_preprocessor import TADDataPreprocessor
from mmtad.registry import TRANSFORMS

FLOW = dict(fps=10, size=32)
SPEC = FlowSpec(size=32)
WINDOW = dict(window_size=8, sample_fps=10, frame_stride=1, sampling="sliding", window_overlap=0.5)


@pytest.fixture(scope="module")
def root(videos, tmp_path_factory):
    """A folder with the flow of the three videos; that of v1 in pictures."""
    folder = tmp_path_factory.mktemp("flow")
    for number, layout in enumerate(("npz", "png", "npz")):
        name = f"v{number}"
        (job,) = plan_jobs({name: videos / f"{name}.mp4"}, folder, SPEC, layout)
        assert make_flow(job).error is None
    return folder


def pipeline(*steps, decode=True, **flow):
    decoding = [dict(type="DecodeFrames")] if decode else []
    return [
        dict(type="OpenVideo", short_side=36),
        dict(type="SampleFrames"),
        *decoding,
        dict(type="LoadFlow", **{**FLOW, **flow}),
        dict(type="ResizeClip", size=32),
        *steps,
        dict(type="PackTADInputs"),
    ]


@pytest.fixture
def dataset(database, videos, root):
    """``dataset(pipeline, flow=folder, ...)``: windows of 8 frames at 10 per second."""

    def make(steps, flow=str(root), **kwargs):
        prefix = dict(video=str(videos)) | (dict(flow=flow) if flow else {})
        arguments = dict(WINDOW, database=database, test_mode=True) | kwargs
        return TADDataset(data_prefix=prefix, pipeline=steps, **arguments)

    return make


def test_flow_is_that_of_the_frames_of_the_window(dataset, root):
    data = dataset(pipeline())
    for index in range(len(data)):
        item, packed = data.get_data_info(index), data[index]
        assert packed["inputs"].shape == (5, 8, 32, 32)
        every = FlowFile(root / (item["video_id"] + (".npz", "", ".npz")[item["video_index"]]))
        fields = every.read(np.arange(len(every.frames)))
        positions = np.minimum(item["window_start"] + np.arange(8), len(fields) - 1)
        found = packed["inputs"][3:].permute(1, 2, 3, 0).numpy()
        assert np.array_equal(found, fields[positions])
    without = dataset([step for step in pipeline() if step["type"] != "LoadFlow"])
    assert np.array_equal(data[0]["inputs"][:3], without[0]["inputs"])


def test_flow_made_on_the_spot_is_the_same(dataset):
    from_disk, made = dataset(pipeline()), dataset(pipeline(), flow=None)
    for index in range(len(made)):
        assert np.array_equal(made[index]["inputs"], from_disk[index]["inputs"])


def test_flow_alone(dataset):
    both = dataset(pipeline())
    alone, made = (dataset(pipeline(decode=False), **flow) for flow in ({}, dict(flow=None)))
    for index in range(len(alone)):
        found = alone[index]["inputs"]
        assert found.shape == (2, 8, 32, 32)
        assert torch.equal(made[index]["inputs"], found)
        difference = found.float() - both[index]["inputs"][3:].float()
        assert difference.abs().max() <= 3  # scaled to the short side of the pipeline and back


def test_augmentation_moves_frames_and_flow_alike(dataset):
    steps = [dict(type="RandomCrop", size=24), dict(type="Flip", prob=1.0)]
    found = dataset(pipeline(*steps), seed=3)[2]["inputs"].numpy()
    assert found.shape == (5, 8, 24, 24)
    plain = dataset(pipeline())[2]["inputs"].numpy()[..., ::-1]
    corners = [
        (top, left)
        for top in range(9)
        for left in range(9)
        if np.array_equal(found[:3], plain[:3, :, top : top + 24, left : left + 24])
    ]
    assert any(
        np.array_equal(found[3], 255 - plain[3, :, top : top + 24, left : left + 24])
        and np.array_equal(found[4], plain[4, :, top : top + 24, left : left + 24])
        for top, left in corners
    )


def test_resized_videos(dataset, videos, tmp_path):
    spec = FlowSpec(fps=None, frames=12, size=(32, 32))
    for name in ("v0", "v1", "v2"):
        (job,) = plan_jobs({name: videos / f"{name}.mp4"}, tmp_path, spec)
        assert make_flow(job).fields == 11
    steps = pipeline(fps=None, frames=12)
    kwargs = dict(sampling="resize", window_size=12, sample_fps=None)
    data = dataset(steps, flow=str(tmp_path), **kwargs)
    fields = FlowFile(tmp_path / "v0.npz").read(np.arange(11))
    found = data[0]["inputs"][3:].permute(1, 2, 3, 0).numpy()
    assert np.array_equal(found[:11], fields) and np.array_equal(found[11], fields[10])
    assert np.array_equal(dataset(steps, flow=None, **kwargs)[0]["inputs"], data[0]["inputs"])


def test_an_unreadable_video_stands_still(dataset):
    data = dataset(pipeline(), flow=None)
    data.full_init()
    item = dict(data.get_data_info(0), error="gone", rng=np.random.default_rng(0))
    for decode, channels in ((True, 5), (False, 2)):
        packed = Compose([TRANSFORMS.build(s) for s in pipeline(decode=decode)])(dict(item))
        assert packed["inputs"].shape == (channels, 8, 32, 32)
        assert (packed["inputs"][-2:] == 128).all() and (packed["inputs"][:-2] == 0).all()


def test_training_goes_on_without_a_video_that_has_no_flow(dataset, root, tmp_path, logged):
    (tmp_path / "v0.npz").write_bytes((root / "v0.npz").read_bytes())
    data = dataset(pipeline(), flow=str(tmp_path), test_mode=False)
    assert {data[i]["data_samples"].video_id for i in range(len(data))} == {"v0"}
    assert any("there is no flow of video 'v1'" in text for text in logged)
    tested = dataset(pipeline(), flow=str(tmp_path))
    errors = {tested[i]["data_samples"].get("error") for i in range(len(tested))}
    assert any("no flow of video 'v2'" in str(error) for error in errors) and None in errors


@pytest.fixture
def sample(videos, root):
    """A window of v0 as LoadFlow gets it."""
    return dict(
        video_id="v0",
        video_path=str(videos / "v0.mp4"),
        frame_inds=np.array([0, 3, 5]),
        total_frames=40,
        flow_folder=str(root),
    )


def test_names(sample, root, tmp_path):
    """Videos are found by their id, or by the name of their file."""
    load = LoadFlow(**FLOW)
    by_id = load(dict(sample, video_path="x/other.mp4"))["frames"].numpy()
    by_file = load(dict(sample, video_id="an id"))["frames"].numpy()
    assert by_id.shape == (3, 32, 32, 2) and np.array_equal(by_id, by_file)
    (tmp_path / "v0.mp4.npz").write_bytes((root / "v0.npz").read_bytes())  # beside a v0.avi
    by_whole_name = load(dict(sample, flow_folder=str(tmp_path)))["frames"].numpy()
    assert np.array_equal(by_id, by_whole_name)


def test_flow_of_another_length(sample):
    with pytest.raises(FlowReadError, match="of 40 frames, but video 'v0' has 41; make it again"):
        LoadFlow(**FLOW)(dict(sample, total_frames=41))


def test_missing_flow(sample, tmp_path):
    with pytest.raises(FlowReadError, match=r"no flow of video 'v9' in .*extract_flow.py"):
        LoadFlow(**FLOW)(dict(sample, video_id="v9", video_path="v9.mp4"))
    gone = str(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="the folder of flow .*gone does not exist; make"):
        LoadFlow(**FLOW)(dict(sample, flow_folder=gone))


def test_damaged_flow(sample, root, tmp_path):
    data = (root / "v0.npz").read_bytes()
    (tmp_path / "v0.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(FlowReadError, match="v0.npz is damaged"):
        LoadFlow(**FLOW)(dict(sample, flow_folder=str(tmp_path)))["frames"].numpy()


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(method="farneback"), r"another method \(dis, here farneback\); give LoadFlow"),
        (dict(bound=15), r"another bound \(20.0, here 15\)"),
        (dict(fps=5), r"another fps \(10.0, here 5\)"),
        (dict(size=40), r"another size \(\(32, 32\), here \(40, 40\)\)"),
    ],
)
def test_flow_that_was_made_in_another_way(change, message, sample):
    with pytest.raises(ValueError, match=f"v0.npz was made with {message}"):
        LoadFlow(**{**FLOW, **change})(sample)


def test_normalisation_of_five_channels():
    """RGB and flow both come to [-1, 1]; no motion to within a two hundred and fiftieth of 0."""
    normalise = TADDataPreprocessor(mean=[127.5] * 5, std=[127.5] * 5).normalize
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2, 1, 1).expand(1, 5, 2, 1, 1)
    assert torch.equal(normalise(ends)[0, :, :, 0, 0], torch.tensor([[-1.0, 1.0]] * 5))
    still = torch.from_numpy(quantize(np.zeros((1, 5, 1, 1, 1)), 20.0))
    assert normalise(still).abs().max() < 1 / 250
