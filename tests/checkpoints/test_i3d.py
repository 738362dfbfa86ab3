"""The public layouts of Inception-I3D, written out from their code, fill ours."""

import pytest
import torch

from mmtad.checkpoints import convert, known_sources, load_two_streams, load_weights, recognise
from mmtad.models.backbones import InceptionI3D, TwoStreamI3D

MIXED = ["3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c"]
NORM = ("weight", "bias", "running_mean", "running_var")
# A layer of an Inception module: in piergiaj's port and in hassony2's.
BRANCHES = {
    "b0": "branch_0",
    "b1a": "branch_1.0",
    "b1b": "branch_1.1",
    "b2a": "branch_2.0",
    "b2b": "branch_2.1",
    "b3b": "branch_3.1",
}
STEM = {
    name: name.replace("Conv", "conv")
    for name in ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")
}
LAYERS = STEM | {
    f"Mixed_{stage}.{ours}": f"mixed_{stage}.{theirs}"
    for stage in MIXED
    for ours, theirs in BRANCHES.items()
}
SOURCES = ("i3d_piergiaj", "i3d_hassony2", "i3d_afsd")


def layout(source, model, counted=False):
    """A file of a project with the model's values, and the classifier of its own."""
    own = model.state_dict()
    names = (*NORM, "num_batches_tracked") if counted else NORM
    state = {}
    for ours, hassony in LAYERS.items():
        prefix = hassony if source == "i3d_hassony2" else ours
        norm = "batch3d" if source == "i3d_hassony2" else "bn"
        state[f"{prefix}.conv3d.weight"] = own[f"{ours}.conv3d.weight"]
        state |= {f"{prefix}.{norm}.{name}": own[f"{ours}.bn.{name}"] for name in names}
    classifier = "conv3d_0c_1x1" if source == "i3d_hassony2" else "logits"
    state[f"{classifier}.conv3d.weight"] = torch.zeros(400, 1024, 1, 1, 1)
    state[f"{classifier}.conv3d.bias"] = torch.zeros(400)
    if source == "i3d_afsd":
        del state["logits.conv3d.weight"], state["logits.conv3d.bias"]
        state = {f"module.backbone._model.{key}": value for key, value in state.items()}
        state["module.coarse_pyramid_detection.loc_heads.0.scale"] = torch.ones(1)
    return state


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    found = InceptionI3D(3), InceptionI3D(2)
    for norm in (norm for model in found for norm in model.batch_norms()):
        torch.nn.init.normal_(norm.running_mean)
    return found


def test_layouts_are_57_layers():
    assert len(LAYERS) == 57 and set(SOURCES) <= set(known_sources())


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("source", SOURCES)
def test_every_key_maps(source, counted, models, tmp_path):
    state = layout(source, models[0], counted)
    ours = set(models[0].state_dict())
    converted = convert(state, source)
    rest = {"logits.conv3d.weight", "logits.conv3d.bias"}
    if source == "i3d_afsd":
        rest = {"module.coarse_pyramid_detection.loc_heads.0.scale"}
    missing = set() if counted else {key for key in ours if key.endswith("num_batches_tracked")}
    assert set(converted) == ours - missing | rest
    path = tmp_path / "file.pt"
    torch.save(state, path)
    torch.manual_seed(1)
    model = InceptionI3D(3)
    report = load_weights(model, str(path), source)
    assert len(report.matched) == 57 * (6 if counted else 5) and not report.missing
    assert set(report.unexpected) == rest and not report.wrong_shape
    for name, value in model.state_dict().items():
        assert torch.equal(value, models[0].state_dict()[name]), name


@pytest.mark.parametrize("source", SOURCES)
def test_files_are_recognised(source, models):
    assert recognise(layout(source, models[0])) == [source]


def test_a_backbone_reads_its_file(models, tmp_path):
    """As a config has it; the largest stage that is asked for ends what is needed."""
    path = tmp_path / "rgb.pt"
    torch.save(layout("i3d_piergiaj", models[0]), path)
    model = InceptionI3D(3, out_stages=("Mixed_3c", "Mixed_4b"), pretrained=str(path))
    model.init_weights()
    expected = models[0].state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    other = InceptionI3D(3, pretrained=str(path), pretrained_source="i3d_hassony2")
    with pytest.raises(ValueError, match="is not of source 'i3d_hassony2'.*like i3d_piergiaj"):
        other.init_weights()


@pytest.fixture
def files(models, tmp_path):
    paths = {"rgb": str(tmp_path / "rgb_imagenet.pt"), "flow": str(tmp_path / "flow_imagenet.pt")}
    for path, model in zip(paths.values(), models, strict=True):
        torch.save(layout("i3d_piergiaj", model), path)
    return paths


def test_two_files_fill_two_streams(models, files):
    model = TwoStreamI3D()
    reports = load_two_streams(model, **files)
    assert {name: report.ratio for name, report in reports.items()} == {"rgb": 1, "flow": 1}
    assert all(files[name] in str(report) for name, report in reports.items())
    for stream, source in zip((model.rgb, model.flow), models, strict=True):
        assert torch.equal(stream.Mixed_5c.b1b.conv3d.weight, source.Mixed_5c.b1b.conv3d.weight)


def test_two_streams_read_their_files(models, files):
    model = TwoStreamI3D(rgb=dict(pretrained=files["rgb"]), flow=dict(pretrained=files["flow"]))
    model.init_weights()
    first = [stream.Conv3d_1a_7x7.conv3d.weight for stream in (model.rgb, model.flow)]
    assert all(
        torch.equal(weight, source.Conv3d_1a_7x7.conv3d.weight)
        for weight, source in zip(first, models, strict=True)
    )


def test_exchanged_files_are_refused(files):
    with pytest.raises(
        ValueError, match=r"flow_imagenet.pt.*Conv3d_1a_7x7.conv3d.weight: file \(64, 2"
    ):
        load_two_streams(TwoStreamI3D(), rgb=files["flow"], flow=files["rgb"])
    with pytest.raises(FileNotFoundError, match="gone.pt does not exist"):
        load_two_streams(TwoStreamI3D(), rgb="gone.pt", flow=files["flow"])
