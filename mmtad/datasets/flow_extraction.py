"""Making the optical flow of many videos, in parallel, again and again until all is there."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from .flow_files import FlowFile, FlowInfo, FlowReadError, find_flow
from .flow_writing import check_replaceable, write_flow
from .optical_flow import FlowSpec, make_method, open_flow
from .transforms.loading import VideoReadError


@dataclass(frozen=True)
class FlowJob:
    """One video whose flow is wanted.

    Attributes:
        video_id: Its name, and that of its flow.
        path: The video file.
        folder: Where its flow goes.
        layout: ``"npz"``, ``"jpg"`` or ``"png"``.
        spec: How to make it.
    """

    video_id: str
    path: str
    folder: str
    layout: str
    spec: FlowSpec


@dataclass(frozen=True)
class FlowOutcome:
    """What came of a job.

    Attributes:
        video_id: The video.
        fields: Number of flow fields that were made.
        size: Bytes of them on disk.
        error: Why there are none; None if there are.
    """

    video_id: str
    fields: int = 0
    size: int = 0
    error: str | None = None


def plan_jobs(
    videos: Mapping[str, str | Path],
    folder: str | Path,
    spec: FlowSpec,
    layout: str = "npz",
    force: bool = False,
) -> list[FlowJob]:
    """The videos whose flow is still to be made.

    Args:
        videos: File per video id.
        folder: Where the flow is.
        spec: How to make it.
        layout: ``"npz"``, ``"jpg"`` or ``"png"``.
        force: Make all of it again, whatever is there.

    Raises:
        ValueError: If some flow there was made in another way, a folder there is named as a video
            but holds no flow, or this OpenCV lacks the method.
    """
    make_method(spec.method)
    jobs = []
    for video_id, path in videos.items():
        check_replaceable(Path(folder, video_id))
        there = None if force else find_flow(folder, [video_id])
        if there is None or not _is_made(there, spec):
            jobs.append(FlowJob(video_id, str(path), str(folder), layout, spec))
    return jobs


def _is_made(path: Path, spec: FlowSpec) -> bool:
    try:
        info = FlowFile(path).info
    except FlowReadError:
        return False
    different = spec.differences(info.spec)
    if different:
        raise ValueError(
            f"{path} was made with another {', '.join(different)}; name another folder, or replace "
            "it with --force"
        )
    return True


def make_flow(job: FlowJob) -> FlowOutcome:
    """Make the flow of one video; a video that cannot be read is an outcome, no error."""
    try:
        flow = open_flow(job.path, job.spec)
        info = FlowInfo(
            spec=job.spec,
            video_frames=flow.video_frames,
            video_fps=flow.video_fps,
            count=len(flow.frames),
            height=flow.height,
            width=flow.width,
        )
        path = write_flow(job.folder, job.video_id, job.layout, info, flow.chunks())
    except VideoReadError as error:
        return FlowOutcome(job.video_id, error=str(error))
    return FlowOutcome(job.video_id, info.count, _disk_use(path))


def run_jobs(jobs: list[FlowJob], workers: int) -> Iterator[FlowOutcome]:
    """Make flow in this process, or in several; outcomes come as they are ready.

    Raises:
        OSError: If one of several processes was ended from outside.
    """
    if workers <= 1 or len(jobs) <= 1:
        yield from map(make_flow, jobs)
        return
    with ProcessPoolExecutor(min(workers, len(jobs))) as pool:
        futures = [pool.submit(make_flow, job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise OSError(
                "a process that made flow was ended from outside, perhaps for want of memory; "
                "start again with fewer --workers, which goes on with what is missing"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _disk_use(path: Path) -> int:
    """Bytes of a file, or of the files of a folder."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
