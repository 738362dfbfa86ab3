"""What the tools that convert a benchmark's annotation share: arguments, report and writing."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..datasets.base import VIDEO_SUFFIXES
from ..datasets.benchmarks import (
    Benchmark,
    Converted,
    Source,
    convert,
    read_source,
    read_video_info,
    write_annotation,
)
from ..datasets.benchmarks.counts import count_table, differing, notes_table
from ..datasets.benchmarks.merging import Probe
from ..datasets.transforms.loading import VideoReadError, probe_video


def conversion_parser(description: str, examples: str) -> argparse.ArgumentParser:
    """A parser with the arguments that all converters have, but for ``--out``."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="[SUBSET=]PATH",
        help="annotation files or folders, together the whole benchmark or a part of it; their "
        "layout is recognised. SUBSET= in front says what subset its videos belong to, where "
        "neither the file nor its name does",
    )
    parser.add_argument(
        "--video-info",
        "--durations",
        nargs="+",
        default=[],
        metavar="FILE",
        help="files with durations, frame rates or subsets of the videos; they win over the "
        "annotation's own, and an earlier file over a later one",
    )
    parser.add_argument(
        "--videos",
        metavar="DIR",
        help="folder of the videos: they are opened where no file gives a duration",
    )
    parser.add_argument(
        "--drop-reversed",
        action="store_true",
        help="leave out segments that end before they start (default: stop at the first)",
    )
    parser.add_argument(
        "--allow-other-counts",
        action="store_true",
        help="write the annotation even if its counts are not the published ones",
    )
    return parser


def read_sources(arguments: Sequence[str], benchmark: Benchmark) -> list[Source]:
    """Read what stands on the command line as ``[SUBSET=]PATH``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a layout is unknown or the content malformed.
    """
    names = {name for pair in benchmark.subsets.items() for name in (pair[0], *pair[1])}
    sources = []
    for text in arguments:
        subset, separator, path = text.partition("=")
        if not separator or subset not in names:
            subset, path = "", text
        sources.append(read_source(path, benchmark.layouts, benchmark.name, subset or None))
    return sources


def run_conversion(
    benchmark: Benchmark,
    args: argparse.Namespace,
    sources: Sequence[Source] | None = None,
    drop_ignored: bool = False,
) -> Converted:
    """Convert what the command line names.

    Args:
        benchmark: Which one it is.
        args: Of :func:`conversion_parser`.
        sources: Already read; None reads ``args.sources``.
        drop_ignored: Leave annotations of ignored labels out.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: See :func:`mmtad.datasets.benchmarks.convert`.
    """
    return convert(
        benchmark,
        read_sources(args.sources, benchmark) if sources is None else sources,
        [read_video_info(path, benchmark.video_id) for path in args.video_info],
        probe=video_probe(args.videos) if args.videos else None,
        drop_ignored=drop_ignored,
        drop_reversed=args.drop_reversed,
    )


def finish(
    results: Sequence[tuple[Converted, str | Path]], allow_other_counts: bool = False
) -> None:
    """Print what was found, compare it with what was published, and write.

    Args:
        results: Annotations and the files to write them to.
        allow_other_counts: Write also what differs from the published counts.

    Raises:
        ValueError: If counts differ; nothing is written then.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 240  # a pipe or a file has no width to fit into
    wrong = []
    for converted, _ in results:
        benchmark = converted.benchmark
        for source in converted.sources:
            console.print(f"read {source}", markup=False)
        console.print(
            count_table(benchmark.name, converted.counts, benchmark.published, benchmark.ignored)
        )
        absent = [name for name in benchmark.subsets if name not in converted.counts]
        if absent:
            console.print(f"not in these files: {', '.join(absent)}", markup=False)
        if converted.notes.counts:
            console.print(notes_table(converted.notes))
        subsets = differing(converted.counts, benchmark.published)
        wrong += [f"{benchmark.name} {subset}" for subset in subsets]
    if wrong and not allow_other_counts:
        raise ValueError(
            f"the counts of {', '.join(wrong)} differ from the published ones, so nothing was "
            "written; look for a missing or another file, or add --allow-other-counts"
        )
    for converted, path in results:
        write_annotation(converted, path)
        videos = f"{len(converted.database):,} videos"
        console.print(f"wrote {path}: {videos}, {len(converted.classes):,} classes", markup=False)


def video_probe(folder: str | Path) -> Probe:
    """Frame rate and number of frames of the videos ``<id>.mp4`` or ``v_<id>.mp4`` of a folder.

    Raises:
        FileNotFoundError: If there is no such folder. When asked for a video, the result raises
            OSError if it is not there or cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder of videos {folder} does not exist; check --videos")

    def probe(video_id: str) -> tuple[float, int]:
        for name in (video_id, f"v_{video_id}"):
            for suffix in VIDEO_SUFFIXES:
                path = folder / (name + suffix)
                if path.is_file():
                    try:
                        return probe_video(str(path))
                    except VideoReadError as error:
                        raise OSError(
                            f"no file gives the duration of video {video_id!r}, and {error}; give "
                            "its duration by --video-info"
                        ) from error
        raise FileNotFoundError(
            f"no file gives the duration of video {video_id!r}, and {folder} has no video of that "
            "name; give its duration by --video-info"
        )

    return probe
