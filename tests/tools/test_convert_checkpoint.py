"""The command line of the converter; tests/checkpoints/test_conversion.py has what it does."""

import hashlib
import runpy
import sys
from pathlib import Path

import pytest
import torch

from mmtad.checkpoints import load_checkpoint_safely

pytest.importorskip("mmaction")

TOOL = str(Path(__file__).parents[2] / "tools" / "convert_checkpoint.py")
VIT = dict(
    type="mmaction.VisionTransformer", img_size=32, embed_dims=8, depth=1, num_heads=1, num_frames=2
)


def videomae(width=8, patch=16):
    """A file of VideoMAE with one block."""
    norms = [f"blocks.0.norm{i}.{p}" for i in (1, 2) for p in ("weight", "bias")]
    state = {name: torch.ones(width) for name in norms}
    shapes = {
        "patch_embed.proj.weight": (width, 3, 2, patch, patch),
        "patch_embed.proj.bias": (width,),
        "blocks.0.attn.q_bias": (width,),
        "blocks.0.attn.v_bias": (width,),
        "blocks.0.attn.qkv.weight": (3 * width, width),
        "blocks.0.attn.proj.weight": (width, width),
        "blocks.0.attn.proj.bias": (width,),
        "blocks.0.mlp.fc1.weight": (4 * width, width),
        "blocks.0.mlp.fc1.bias": (4 * width,),
        "blocks.0.mlp.fc2.weight": (width, 4 * width),
        "blocks.0.mlp.fc2.bias": (width,),
    }
    return {**state, **{name: torch.randn(shape) for name, shape in shapes.items()}}


@pytest.fixture
def tool(tmp_path, monkeypatch, capsys):
    """``tool(checkpoint, "--source", ..)`` -> (exit status, what it printed, file)."""

    def run(checkpoint, *arguments):
        source, target = tmp_path / "foreign.pth", tmp_path / "new" / "converted.pth"
        torch.save(checkpoint, source)
        monkeypatch.setattr(sys, "argv", [TOOL, str(source), str(target), *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(TOOL, run_name="__main__")
        shown = capsys.readouterr()
        return end.value.code, shown.out + shown.err, target

    return run


@pytest.fixture
def config(tmp_path):
    (tmp_path / "config.py").write_text(f"model = {VIT!r}\n")
    return tmp_path / "config.py"


def refused(result):
    status, shown, file = result
    assert status == 1 and not file.exists()
    assert shown.startswith("error: ") and shown.count("\n") == 1
    return shown


def test_what_is_written(run_tool, tmp_path):
    source, target = tmp_path / "vit.pth", tmp_path / "new.pth"
    weights = videomae()
    # A view: what is written must not drag along all that it looks at.
    weights["head.bias"] = torch.zeros(10**6)[:5]
    torch.save(dict(module=weights), source)
    done = run_tool("convert_checkpoint.py", source, target, "--source", "videomae", "--half")
    assert done.returncode == 0, done.stderr
    assert "new.pth: 16 entries of videomae" in done.stdout and "--config" in done.stdout
    written = load_checkpoint_safely(str(target))
    assert written.keys() == {"state_dict", "meta"}
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert written["meta"] == dict(source="videomae", file="vit.pth", sha256=digest)
    assert {value.dtype for value in written["state_dict"].values()} == {torch.float16}
    assert target.stat().st_size < 100_000
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["new.pth", "vit.pth"]


def test_load_report_is_shown(tool, config):
    status, shown, file = tool(videomae(), "--source", "videomae", "--config", config)
    assert status == 0 and "Weights from foreign.pth: matched 15/15, missing 0" in shown
    assert "not needed from the file 3 (fc_norm.bias, fc_norm.weight, pos_embed)" in shown
    assert file.exists()


def test_other_architecture_is_not_written(tool, config):
    arguments = "--source", "videomae", "--config", config, "--min-match", 0.5
    error = refused(tool(videomae(patch=14), *arguments))
    assert "its patches are 2x14x14 and the model's 2x16x16" in error
    assert "VisionTransformer would keep random weights in patch_embed.projection.weight" in error


def test_existing_files_are_kept(tool):
    assert tool(videomae(), "--source", "videomae")[0] == 0
    status, shown, file = tool(videomae(width=4), "--source", "videomae")
    assert status == 1
    assert "converted.pth exists; name another file, or replace it with --force" in shown
    assert len(load_checkpoint_safely(str(file))["state_dict"]["blocks.0.norm1.bias"]) == 8
    assert tool(videomae(width=4), "--source", "videomae", "--force")[0] == 0
    assert len(load_checkpoint_safely(str(file))["state_dict"]["blocks.0.norm1.bias"]) == 4


@pytest.mark.parametrize("name", ["vit.pth", "link.pth", "hard.pth"])
def test_what_is_read_is_never_replaced(tmp_path, monkeypatch, capsys, name):
    source = tmp_path / "vit.pth"
    torch.save(videomae(), source)
    (tmp_path / "link.pth").symlink_to(source)
    (tmp_path / "hard.pth").hardlink_to(source)
    before = source.read_bytes()
    arguments = [str(source), str(tmp_path / name), "--source", "videomae", "--force"]
    monkeypatch.setattr(sys, "argv", [TOOL, *arguments])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(TOOL, run_name="__main__")
    assert end.value.code == 1 and source.read_bytes() == before
    assert f"{name} is the file to be converted; name another file" in capsys.readouterr().err


def test_list(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [TOOL, "--list"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(TOOL, run_name="__main__")
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "videomae " in shown and "opentad_adatad " in shown and "recognizers" in shown


def test_wrong_source(tool):
    error = refused(tool(videomae(), "--source", "mmaction_recognizer"))
    assert "foreign.pth is not of source 'mmaction_recognizer'" in error
    assert error.endswith("it looks like videomae\n")
    assert "unknown source 'vit'; known are " in refused(tool(videomae(), "--source", "vit"))
    error = refused(tool(videomae()))
    assert "say with --source of which project" in error and "it may be videomae" in error
    arguments = "--source", "videomae", "--adapter-indices", 1
    assert "'videomae' takes no adapter_indices; only opentad_adatad" in refused(
        tool(videomae(), *arguments)
    )


def test_other_refusals(tool, tmp_path):
    arguments = "--source", "videomae", "--config"
    error = refused(tool(videomae(), *arguments, tmp_path / "none.py"))
    assert "none.py does not exist" in error
    (tmp_path / "empty.py").write_text("a = 1\n")
    assert "empty.py has no model" in refused(tool(videomae(), *arguments, tmp_path / "empty.py"))
    assert "holds no weights" in refused(tool(dict(epoch=1), "--source", "videomae"))
