"""Named lists of videos that an evaluation leaves out, because the choice moves the mAP."""

from collections.abc import Collection
from pathlib import Path

# Each name tells how many of the 213 annotated THUMOS14 test videos remain. 0001292 shows nothing
# but Ambiguous: ActionFormer and TriDet evaluate on 212. OpenTAD also drops 0000270 (22 of its
# segments end past the video), and G-TAD's thumos_gt.json 0001496 too (its annotation belongs to
# another video).
BLOCK_LISTS: dict[str, tuple[str, ...]] = {
    "none": (),
    "thumos14_213": (),
    "thumos14_212": ("video_test_0001292",),
    "thumos14_211": ("video_test_0000270", "video_test_0001292"),
    "thumos14_210": ("video_test_0000270", "video_test_0001292", "video_test_0001496"),
}


def resolve_block_list(value: str | Path | Collection[str] | None) -> frozenset[str]:
    """Turn what a config or a command line says about blocked videos into their ids.

    Args:
        value: A name of ``BLOCK_LISTS``, the path of a text file with one id per line (blank lines
            and what follows a ``#`` are skipped), or ids; None and nothing block no video.

    Returns:
        Ids of the blocked videos.

    Raises:
        ValueError: If a text is neither a known name nor a file, a file holds more than one word in
            a line, or an id is no text.
    """
    if value is None:
        return frozenset()
    if isinstance(value, str | Path):
        if str(value) in BLOCK_LISTS:
            return frozenset(BLOCK_LISTS[str(value)])
        if not str(value):
            return frozenset()
        return _read(Path(value))
    wrong = [one for one in value if not isinstance(one, str)]
    if wrong:
        raise ValueError(f"a block list holds ids of videos as text, got {wrong[0]!r}")
    return frozenset(value)


def _read(path: Path) -> frozenset[str]:
    if not path.is_file():
        raise ValueError(
            f"the block list {str(path)!r} is neither a known name "
            f"({', '.join(BLOCK_LISTS)}) nor a text file; for a single video write a list of one id"
        )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the block list {path} is not a text file; write one video id per line"
        ) from error
    ids = [words for line in lines if (words := line.partition("#")[0].split())]
    for words in ids:
        if len(words) > 1:
            raise ValueError(
                f"the block list {path} has the line {' '.join(words)!r}; write one video id per "
                "line"
            )
    return frozenset(words[0] for words in ids)
