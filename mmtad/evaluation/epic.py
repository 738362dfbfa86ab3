"""Verb, noun and action detection on EPIC-Kitchens-100."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .action_pairs import ACTION_SEPARATOR, pair_verbs_and_nouns
from .detection import DetectionReport, detection_report
from .files import Source, read_section
from .predictions import read_results

EPIC_TIOU_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
EPIC_TASKS = ("verb", "noun", "action")


def evaluate_epic(
    ground_truth: Source,
    *,
    verb: Source | None = None,
    noun: Source | None = None,
    action: Source | None = None,
    tiou_thresholds: float | Sequence[float] = EPIC_TIOU_THRESHOLDS,
    subset: str | None = "val",
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
    pairing: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """Mean average precision of verbs, nouns and actions, each over the classes that occur.

    Results of verbs and of nouns give the actions too, see
    :func:`mmtad.evaluation.pair_verbs_and_nouns`. Results of actions alone give verbs and nouns
    too, with the scores of the actions, as the official challenge does. Each class is known by its
    name: ids that the ground truth does not have are never mistaken for another class.

    Args:
        ground_truth: Annotation of actions, path or dict, labels ``"<verb> <noun>"``
            (``epic_action.json``); verbs and nouns are taken from it.
        verb: Results with the names of verbs as labels, path or dict.
        noun: Results with the names of nouns as labels, path or dict.
        action: Results with labels ``"<verb> <noun>"``, or a submission of the challenge with the
            ids of verbs and nouns; path or dict. Needed without ``verb`` and ``noun``.
        tiou_thresholds: Fractions in (0, 1]. Defaults to 0.1 to 0.5.
        subset: Name of the subset to evaluate; None takes all videos.
        blocked_videos: Videos to leave out on both sides.
        drop_duplicates: Count repeated annotations once, see :func:`evaluate_detections`; the
            official evaluation counts them all.
        pairing: Options of :func:`mmtad.evaluation.pair_verbs_and_nouns`.

    Returns:
        ``{"verb/mAP@0.10": .., .., "verb/mAP": .., "noun/mAP@0.10": .., .., "action/mAP": ..}``,
        fractions from 0 to 1.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file or option is invalid, or neither ``action`` nor both of ``verb`` and
            ``noun`` are given.
    """
    reports = epic_reports(
        ground_truth,
        verb=verb,
        noun=noun,
        action=action,
        tiou_thresholds=tiou_thresholds,
        subset=subset,
        blocked_videos=blocked_videos,
        drop_duplicates=drop_duplicates,
        pairing=pairing,
    )
    return {
        f"{task}/{key}": value
        for task, report in reports.items()
        for key, value in report.summary().items()
    }


def epic_reports(
    ground_truth: Source,
    *,
    verb: Source | None = None,
    noun: Source | None = None,
    action: Source | None = None,
    tiou_thresholds: float | Sequence[float] = EPIC_TIOU_THRESHOLDS,
    subset: str | None = "val",
    blocked_videos: Collection[str] = (),
    drop_duplicates: bool = True,
    pairing: Mapping[str, Any] | None = None,
) -> dict[str, DetectionReport]:
    """Compute the AP of every verb, noun and action; arguments of :func:`evaluate_epic`."""
    annotations = split_action_annotations(ground_truth)
    sources: dict[str, Source]
    if action is not None:
        sources = split_action_results(action, ground_truth)
        sources |= {task: one for task, one in (("verb", verb), ("noun", noun)) if one is not None}
    elif verb is not None and noun is not None:
        actions = pair_verbs_and_nouns(verb, noun, **(pairing or {}))
        sources = {"verb": verb, "noun": noun, "action": {"results": actions}}
    else:
        raise ValueError(
            "EPIC-Kitchens needs the results of verbs and of nouns, or those of actions; "
            f"got {'verbs' if verb is not None else 'nouns' if noun is not None else 'nothing'}"
        )
    return {
        task: detection_report(
            annotations[task],
            sources[task],
            tiou_thresholds,
            subset,
            blocked_videos=blocked_videos,
            drop_duplicates=drop_duplicates,
        )
        for task in EPIC_TASKS
    }


def split_action_annotations(source: Source) -> dict[str, dict[str, Any]]:
    """Make the annotations of verbs and of nouns from those of actions.

    Args:
        source: Annotation, path or dict, labels ``"<verb> <noun>"``.

    Returns:
        Annotations of ``"verb"``, ``"noun"`` and ``"action"``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a label is not a verb and a noun.
    """
    database, name = read_section(source, "database", "the ground truth")
    split: dict[str, dict[str, Any]] = {task: {} for task in EPIC_TASKS}
    for video, info in database.items():
        annotations = info.get("annotations") or []
        pairs = [_split(one["label"], f"{name}: video '{video}'") for one in annotations]
        for position, task in enumerate(("verb", "noun")):
            labels = (pair[position] for pair in pairs)
            renamed = [
                {**one, "label": label} for one, label in zip(annotations, labels, strict=True)
            ]
            split[task][video] = {**info, "annotations": renamed}
        split["action"][video] = info
    return {task: {"database": content} for task, content in split.items()}


def split_action_results(source: Source, ground_truth: Source) -> dict[str, Source]:
    """Make the results of verbs and of nouns from those of actions.

    Args:
        source: Results with labels ``"<verb> <noun>"``, or a submission of the challenge, whose
            detections have ``"verb"`` and ``"noun"`` ids instead; path or dict.
        ground_truth: Annotation that tells the names of the ids: its annotations have them as
            ``"verb"`` and ``"noun"``. Ids that it does not have keep the name ``"#<id>"``.

    Returns:
        Results of ``"verb"``, ``"noun"`` and ``"action"``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a detection has neither a label nor ids, or the ground truth has no ids.
    """
    results, name = read_results(source, default_name="the action detections")
    names: dict[str, dict[int, str]] | None = None
    split: dict[str, dict[str, Any]] = {task: {} for task in EPIC_TASKS}
    for video, detections in results.items():
        where = f"{name}: video '{video}'"
        rows: dict[str, list[Any]] = {task: [] for task in EPIC_TASKS}
        for detection in detections:
            if isinstance(detection, Mapping) and "label" in detection:
                verb, noun = _split(detection["label"], where)
            else:
                names = names or _class_names(ground_truth)
                verb, noun = (_name(detection, task, names[task], where) for task in names)
            labels = (verb, noun, verb + ACTION_SEPARATOR + noun)
            for task, label in zip(EPIC_TASKS, labels, strict=True):
                rows[task].append({**detection, "label": label})
        for task in EPIC_TASKS:
            split[task][video] = rows[task]
    return {task: {"results": found} for task, found in split.items()}


def _split(label: Any, where: str) -> tuple[str, str]:
    parts = str(label).split(ACTION_SEPARATOR)
    if len(parts) != 2 or not all(parts):
        raise ValueError(
            f"{where} has the label {label!r}; expected '<verb> <noun>' as in epic_action.json"
        )
    return parts[0], parts[1]


def _class_names(ground_truth: Source) -> dict[str, dict[int, str]]:
    """Names of the verb and noun ids that the annotation has."""
    database, name = read_section(ground_truth, "database", "the ground truth")
    names: dict[str, dict[int, str]] = {"verb": {}, "noun": {}}
    for video, info in database.items():
        for annotation in info.get("annotations") or []:
            pair = _split(annotation["label"], f"{name}: video '{video}'")
            for task, label in zip(names, pair, strict=True):
                if task not in annotation:
                    raise ValueError(
                        f"{name}: video '{video}' has an annotation without the id of its {task}, "
                        "so results with ids can not be compared; convert the annotation again "
                        "with tools/data/convert_epic_kitchens.py"
                    )
                names[task][int(annotation[task])] = label
    return names


def _name(detection: Any, task: str, names: Mapping[int, str], where: str) -> str:
    number = detection.get(task) if isinstance(detection, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError(
            f"{where} has the detection {detection!r}; expected a 'label' \"<verb> <noun>\", or "
            f"whole numbers as 'verb' and 'noun'"
        )
    return names.get(number, f"#{number}")
