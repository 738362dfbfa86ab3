"""Converting files by name, those of the real data or small ones of a test."""

from collections import Counter

import pytest

from mmtad.datasets.benchmarks import convert, read_source, read_video_info


@pytest.fixture(scope="session")
def data(shared):
    """Folder of the benchmarks' real files."""
    return shared / "data"


@pytest.fixture(scope="session")
def convert_files():
    """``convert_files(benchmark, folder, files, video_info=(), **options)``."""

    def run(benchmark, folder, files, video_info=(), **options):
        sources = [read_source(folder / f, benchmark.layouts, benchmark.name) for f in files]
        facts = [read_video_info(folder / f, benchmark.video_id) for f in video_info]
        return convert(benchmark, sources, facts, **options)

    return run


@pytest.fixture(scope="session")
def segments_of():
    """All actions of a conversion as a multiset of (video, start, end, label)."""

    def collect(converted, ignore=()):
        return Counter(
            (video_id, *one["segment"], one["label"])
            for video_id, info in converted.database.items()
            for one in info["annotations"]
            if one["label"] not in ignore
        )

    return collect
