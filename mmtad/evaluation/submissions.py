"""Files for the servers of the ActivityNet, EPIC-Kitchens and Ego4D challenges.

Every ``make_*`` function turns our results into the content of a file and checks it with the
``check_*`` function beside it, which names what a server would refuse. Layouts: the sample file of
the ActivityNet evaluation kit; ``evaluate_detection_json_ek100.py`` of
epic-kitchens/C2-Action-Detection; ``MQ/Merge_detection_retrieval.py`` of EGO4D/episodic-memory.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .action_pairs import ACTION_SEPARATOR
from .files import Source
from .predictions import read_columns, read_results

EPIC_VERSION = "0.2"
EPIC_CHALLENGE = "action_detection"
EGO4D_VERSION = "1.0"
EGO4D_CHALLENGE = "ego4d_moment_queries"
ACTIVITYNET_VERSION = "VERSION 1.3"
_EPIC_CLASSES = {"verb": 97, "noun": 300}
_SUPERVISION = ("sls_pt", "sls_tl", "sls_td")

Content = dict[str, Any]


def make_activitynet_submission(
    results: Source,
    videos: Collection[str] | None = None,
    external_data: str | None = None,
    labels: Collection[str] | None = None,
) -> Content:
    """Content of a detection file for ActivityNet.

    Args:
        results: Our results, path or dict. A ``v_`` in front of all ids is taken away.
        videos: Ids that the file must hold: those without detection get an empty list, others are
            an error. None takes the videos of the results.
        external_data: What other data was used for training, in words; None for none.
        labels: Names of the classes; others, which the server does not know, are an error. None
            takes any.

    Returns:
        ``{"version", "results": {video: [{"label", "score", "segment"}]}, "external_data"}``.

    Raises:
        ValueError: If the results are invalid or hold other videos or labels.
    """
    found, name = read_results(results)
    if found and all(video.startswith("v_") for video in found):
        found = {video[2:]: detections for video, detections in found.items()}
    content = {
        "version": ACTIVITYNET_VERSION,
        "results": _fill(found, videos, name, labels),
        "external_data": {"used": external_data is not None, "details": external_data or ""},
    }
    check_activitynet_submission(content)
    return content


def check_activitynet_submission(content: Mapping[str, Any]) -> None:
    """Make sure that a file has what the ActivityNet evaluation reads.

    Raises:
        ValueError: Naming what is missing or invalid.
    """
    _require(content, ("version", "results", "external_data"), "the ActivityNet submission")
    _check_detections({"results": content["results"]}, "the ActivityNet submission")


def make_epic_submission(
    actions: Source,
    verbs: Sequence[str],
    nouns: Sequence[str],
    *,
    sls_pt: int,
    sls_tl: int,
    sls_td: int,
    videos: Collection[str] | None = None,
) -> Content:
    """Content of a file for the action detection challenge of EPIC-Kitchens-100.

    Args:
        actions: Results with labels ``"<verb> <noun>"``, path or dict, such as those of
            :func:`mmtad.evaluation.pair_verbs_and_nouns` under ``"results"``.
        verbs: Names of the verbs by id, 97.
        nouns: Names of the nouns by id, 300.
        sls_pt: Supervision level of pre-training, 0 to 5, as the challenge defines them.
        sls_tl: Supervision level of the training labels, 0 to 5.
        sls_td: Supervision level of the training data, 0 to 5.
        videos: Ids that the file must hold, as in :func:`make_activitynet_submission`.

    Returns:
        ``{"version", "challenge", "sls_pt", "sls_tl", "sls_td", "results": {video: [{"verb",
        "noun", "action": "v,n", "score", "segment"}]}}``.

    Raises:
        ValueError: If the results are invalid, a name has no id or a level is out of range.
    """
    found, name = read_results(actions, default_name="the actions")
    ids = {
        "verb": {label: number for number, label in enumerate(verbs)},
        "noun": {label: number for number, label in enumerate(nouns)},
    }
    results = {}
    for video, detections in _fill(found, videos, name).items():
        results[video] = [_epic_entry(one, ids, f"{name}: video '{video}'") for one in detections]
    content = {
        "version": EPIC_VERSION,
        "challenge": EPIC_CHALLENGE,
        "sls_pt": sls_pt,
        "sls_tl": sls_tl,
        "sls_td": sls_td,
        "results": results,
    }
    check_epic_submission(content)
    return content


def check_epic_submission(content: Mapping[str, Any]) -> None:
    """Make sure that a file has what the EPIC-Kitchens challenge asks for.

    Raises:
        ValueError: Naming what is missing or invalid.
    """
    name = "the EPIC-Kitchens submission"
    _require(content, ("version", "challenge", *_SUPERVISION, "results"), name)
    for key, value in (("version", EPIC_VERSION), ("challenge", EPIC_CHALLENGE)):
        if content[key] != value:
            raise ValueError(f"'{key}' of {name} must be {value!r}, got {content[key]!r}")
    for key in _SUPERVISION:
        level = content[key]
        if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= 5:
            raise ValueError(f"'{key}' of {name} is a level from 0 to 5, got {level!r}")
    _check_detections(content, name, labelled=False)
    for video, detections in content["results"].items():
        for detection in detections:
            _require(detection, ("verb", "noun", "action"), f"a detection of {name}")
            for task, count in _EPIC_CLASSES.items():
                if detection[task] not in range(count):
                    raise ValueError(
                        f"{name}: video '{video}' has the {task} {detection[task]!r}; ids run from "
                        f"0 to {count - 1}"
                    )
            if detection["action"] != f"{detection['verb']},{detection['noun']}":
                raise ValueError(
                    f"{name}: video '{video}' has the action {detection['action']!r}; expected "
                    f"'{detection['verb']},{detection['noun']}'"
                )


def make_ego4d_submission(
    detections: Source,
    retrieval: Source | None = None,
    videos: Collection[str] | None = None,
    labels: Collection[str] | None = None,
) -> Content:
    """Content of a file for the Moment Queries challenge of Ego4D.

    Args:
        detections: Results for mAP, path or dict, by clip.
        retrieval: Results for recall@kx; None for the same detections.
        videos: Ids of the clips that the file must hold, as in
            :func:`make_activitynet_submission`.
        labels: Names of the classes, as there.

    Returns:
        ``{"version", "challenge", "detect_results": {clip: [{"label", "score", "segment"}]},
        "retrieve_results": {..}}``.

    Raises:
        ValueError: If the results are invalid or hold other clips or labels.
    """
    content: Content = {"version": EGO4D_VERSION, "challenge": EGO4D_CHALLENGE}
    for key, source in (
        ("detect_results", detections),
        ("retrieve_results", detections if retrieval is None else retrieval),
    ):
        found, name = read_results(source)
        content[key] = _fill(found, videos, name, labels)
    check_ego4d_submission(content)
    return content


def check_ego4d_submission(content: Mapping[str, Any]) -> None:
    """Make sure that a file has what the Moment Queries challenge asks for.

    Raises:
        ValueError: Naming what is missing or invalid.
    """
    name = "the Ego4D submission"
    _require(content, ("version", "challenge", "detect_results", "retrieve_results"), name)
    if content["challenge"] != EGO4D_CHALLENGE:
        raise ValueError(
            f"'challenge' of {name} must be {EGO4D_CHALLENGE!r}, got {content['challenge']!r}"
        )
    for key in ("detect_results", "retrieve_results"):
        _check_detections({"results": content[key]}, f"'{key}' of {name}")


def _require(content: Mapping[str, Any], keys: Sequence[str], name: str) -> None:
    missing = [key for key in keys if key not in content]
    if missing:
        raise ValueError(f"{name} lacks {', '.join(map(repr, missing))}; add it")


def _check_detections(content: Mapping[str, Any], name: str, labelled: bool = True) -> None:
    results, _ = read_results(content, default_name=name)
    read_columns(results, name, labelled)


def _fill(
    results: Mapping[str, Any],
    videos: Collection[str] | None,
    name: str,
    labels: Collection[str] | None = None,
) -> dict[str, list[Content]]:
    """Detections with the fields of a file only, for exactly the videos asked for."""
    _check_detections({"results": results}, name)
    if labels is not None:
        _check_labels(results, frozenset(labels), name)
    if videos is not None:
        wanted = set(videos)
        outside = [video for video in results if video not in wanted]
        if outside:
            raise ValueError(
                f"{name}: {len(outside)} of {len(results)} videos are not in the subset of the "
                f"challenge ('{outside[0]}', ...); a submission holds no others"
            )
    return {
        video: [
            {"label": str(d["label"]), "score": float(d["score"]), "segment": list(d["segment"])}
            for d in results.get(video, [])
        ]
        for video in (results if videos is None else videos)
    }


def _check_labels(results: Mapping[str, Any], labels: frozenset[str], name: str) -> None:
    for video, detections in results.items():
        unknown = [one["label"] for one in detections if str(one["label"]) not in labels]
        if unknown:
            raise ValueError(
                f"{name}: video '{video}' has the label {unknown[0]!r}, which is none of the "
                f"{len(labels)} of the challenge"
            )


def _epic_entry(detection: Content, ids: Mapping[str, Mapping[str, int]], where: str) -> Content:
    parts = detection["label"].split(ACTION_SEPARATOR)
    known = len(parts) == 2 and parts[0] in ids["verb"] and parts[1] in ids["noun"]
    if not known:
        raise ValueError(
            f"{where} has the label {detection['label']!r}, which is not a known verb, a blank and "
            "a known noun"
        )
    verb, noun = ids["verb"][parts[0]], ids["noun"][parts[1]]
    return {
        "verb": verb,
        "noun": noun,
        "action": f"{verb},{noun}",
        "score": detection["score"],
        "segment": detection["segment"],
    }
