"""Detections as files: the ActivityNet result format, SubRip captions and a timeline picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..evaluation.files import write_results
from ..visualization import draw_timeline

FORMATS = ("json", "srt", "png")
# Captions and pictures are for reading: without a threshold they would drown in weak detections.
READABLE_SCORE = 0.1


def format_srt_time(seconds: float) -> str:
    """Write a time as SubRip does: ``HH:MM:SS,mmm``.

    Args:
        seconds: Time, negative values count as 0; rounded to milliseconds.
    """
    total = max(round(seconds * 1000), 0)
    minutes, milliseconds = divmod(total, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d},{milliseconds % 1000:03d}"


def format_srt(detections: Sequence[Mapping]) -> str:
    """Turn the detections of one video into SubRip captions, one each, ordered by start.

    Args:
        detections: ``[{"segment": [start, end], "label", "score"}]``, seconds.

    Returns:
        The text of the file. A caption lasts a millisecond at least; captions of actions that
        overlap in time overlap too, players show them together.
    """
    captions = []
    ordered = sorted(detections, key=lambda item: (*item["segment"], -item["score"]))
    for number, item in enumerate(ordered, 1):
        start, end = (round(max(value, 0) * 1000) for value in item["segment"])
        times = [format_srt_time(value / 1000) for value in (start, max(end, start + 1))]
        label = " ".join(str(item["label"]).split())
        captions.append(f"{number}\n{times[0]} --> {times[1]}\n{label} ({item['score']:.2f})\n")
    return "\n".join(captions)


def write_srt(detections: Sequence[Mapping], path: str | Path) -> None:
    """Write the captions of one video, see :func:`format_srt`."""
    Path(path).write_text(format_srt(detections), encoding="utf-8")


def check_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Refuse formats that nobody can write.

    Raises:
        ValueError: If a format is unknown or there is none.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise ValueError(
            f"formats must be some of {', '.join(FORMATS)}, got '{', '.join(unknown) or 'none'}'"
        )
    return tuple(dict.fromkeys(formats))


def save_results(
    results: Mapping[str, Sequence[Mapping]],
    out_dir: str | Path,
    formats: Sequence[str] = FORMATS,
    min_score: float | None = None,
    durations: Mapping[str, float] | None = None,
) -> list[Path]:
    """Write ``predictions.json`` for all videos, and captions and a picture for each of them.

    Args:
        results: ``{video_id: [{"segment", "label", "score"}]}``, seconds.
        out_dir: Folder, made if missing.
        formats: Some of ``json``, ``srt``, ``png``.
        min_score: Detections below are left out of every file. None keeps all of them in the json
            and those from 0.1 in captions and pictures.
        durations: Seconds per video, for the time axis of the pictures.

    Returns:
        The files written.

    Raises:
        ValueError: If a format is unknown.
    """
    formats = check_formats(formats)
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    if "json" in formats:
        written.append(folder / "predictions.json")
        write_results(written[-1], _filter(results, min_score or 0.0))
    threshold = READABLE_SCORE if min_score is None else min_score
    readable = _filter(results, threshold)
    for video_id, detections in results.items():
        name = video_id.replace("/", "_").replace("\\", "_")
        if "srt" in formats:
            written.append(folder / f"{name}.srt")
            write_srt(readable[video_id], written[-1])
        if "png" in formats:
            written.append(folder / f"{name}.png")
            draw_timeline(
                None,
                {video_id: detections},
                written[-1],
                durations=durations,
                min_score=threshold,
            )
    return written


def _filter(results: Mapping[str, Sequence[Mapping]], min_score: float) -> dict[str, list[Mapping]]:
    return {
        video_id: [item for item in detections if item["score"] >= min_score]
        for video_id, detections in results.items()
    }
