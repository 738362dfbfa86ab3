import pytest

from mmtad.apis.sources import find_videos


@pytest.fixture
def folder(tmp_path):
    for name in ("a/clip.mp4", "b/clip.mp4", "b/clip.AVI", "b/other.mkv", "b/notes.txt", "raw.dat"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "b" / "folder.mp4").mkdir()
    return tmp_path


def test_a_file_may_have_any_suffix(folder):
    assert find_videos(folder / "raw.dat") == {"raw": folder / "raw.dat"}
    assert find_videos(str(folder / "a" / "clip.mp4")) == {"clip": folder / "a" / "clip.mp4"}


def test_a_folder_gives_its_videos_by_name(folder):
    videos = find_videos(folder / "b")
    assert list(videos) == ["clip.AVI", "clip.mp4", "other"]
    assert all(path.is_file() for path in videos.values())


def test_equal_names_are_told_apart(folder):
    videos = find_videos([folder / "a", folder / "b", folder / "a" / "clip.mp4"])
    assert list(videos) == ["a_clip.mp4", "clip.AVI", "b_clip.mp4", "other"]


def test_names_stay_unique_where_folders_meet(tmp_path):
    paths = [tmp_path / "a_b" / "c.mp4", tmp_path / "a" / "b_c.mp4", tmp_path / "d" / "c.mp4"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert list(find_videos(paths)) == ["a_b_c.mp4", "b_c", "d_c.mp4"]


def test_bad_input(folder):
    with pytest.raises(FileNotFoundError, match="none.mp4 does not exist"):
        find_videos([folder / "raw.dat", folder / "none.mp4"])
    with pytest.raises(ValueError, match="empty has no video"):
        find_videos(folder / "empty")
    with pytest.raises(ValueError, match="no video"):
        find_videos([])
