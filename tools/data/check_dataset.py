"""Tell what a training run would trip over, before it is started.

Reads the data sets of a config (raw video or features) and reports per data loader: videos or
features that are missing, annotations that contradict themselves, segments outside their video,
classes without an instance or never evaluated, actions that no training window shows, the windows
of an epoch, and the longest action beside the window and the head's regression ranges. With --probe
it opens every file too and compares its rate, length and channels with the annotation.

Findings are of three kinds: "stop" would end the run, "harm" would make its numbers worse without
a word, "note" is worth knowing. The exit status is 1 if there is a "stop" or a "harm".
"""

import argparse
import os.path as osp
import sys
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from rich.console import Console
from rich.table import Table

import mmtad  # noqa: F401  (mends the installed stack)
from mmtad.apis.cli import add_config_overrides, read_config, run_cli
from mmtad.datasets.checking import HARM, NOTE, STOP, DatasetReport, Finding, check_dataset
from mmtad.datasets.comparing import check_regression_ranges, compare_datasets, inner_configs
from mmtad.datasets.statistics import class_counts, distributions
from mmtad.models.task_modules import PointGenerator
from mmtad.registry import METRICS
from mmtad.visualization.distributions import draw_distributions

POINT_HEADS = ("ActionFormerHead", "TridentHead")
LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
EXAMPLES = """examples:
  python tools/data/check_dataset.py configs/actionformer/actionformer_i3d_2304x4_35e_thumos14.py
  python tools/data/check_dataset.py my_config.py --probe --per-class
"""
STYLES = {STOP: "bold red", HARM: "red", NOTE: "yellow"}


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG", help="config file that will be trained")
    parser.add_argument(
        "--probe",
        action="store_true",
        help="open every file and compare it with the annotation; features are read whole, in "
        "search of NaN (slow on a large data set)",
    )
    parser.add_argument("--per-class", action="store_true", help="also list the actions per class")
    parser.add_argument(
        "--out",
        metavar="PNG",
        help="where to draw the distributions of length, coverage and number of actions (default: "
        "work_dirs/<config name>/distributions.png)",
    )
    add_config_overrides(parser)
    return parser.parse_args()


def check_loaders(cfg: Config, probe: bool) -> list[DatasetReport]:
    """Report on every data set of the loaders; one that serves two loaders is checked once."""
    reports, seen = [], []
    for loader in LOADERS:
        options = cfg.get(loader)
        if not options or options.dataset in seen:
            continue
        seen.append(options.dataset)
        parts = list(inner_configs(options.dataset))
        for number, part in enumerate(parts):
            name = loader if len(parts) == 1 else f"{loader} ({number})"
            reports.append(check_dataset(part, name, options.get("batch_size", 1), probe))
    if not reports:
        raise ValueError(f"{cfg.filename} has none of {', '.join(LOADERS)}")
    return reports


def check_head(cfg: Config, train: DatasetReport) -> list[Finding]:
    """Findings about the classes and the regression ranges of the head."""
    head = (cfg.get("model") or {}).get("head") or {}
    number, classes, found = head.get("num_classes"), len(train.classes), []
    if number is not None and classes and number != classes:
        options = next(iter(inner_configs(cfg.train_dataloader.dataset)))
        agnostic = any(step.get("class_agnostic") for step in options.get("pipeline") or [])
        if number != 1 or not agnostic:
            text = f"model.head.num_classes is {number}, the data set has {classes} classes"
            hint = '; for one class "action" set class_agnostic of PackTADInputs'
            found.append(Finding(STOP, train.loader, text + (hint if number == 1 else "")))
    if head.get("type") in POINT_HEADS:
        options = {k: v for k, v in (head.get("point_generator") or {}).items() if k != "type"}
        ranges = PointGenerator(**options).regression_ranges
        found += check_regression_ranges(train, ranges)
    return found


def check_evaluator(cfg: Config, test: DatasetReport) -> list[Finding]:
    """Build the metric of a loader: it reads the files that it needs and names what they lack."""
    kind = test.loader.partition("_")[0]
    metrics = cfg.get(f"{kind}_evaluator") or []
    found = []
    for options in [metrics] if isinstance(metrics, dict) else metrics:
        try:
            metric = METRICS.build(dict(options))
            database = {record.video_id: {} for record in test.records}
            metric.dataset_meta = dict(classes=test.classes, ground_truth=dict(database=database))
        except (ValueError, OSError, KeyError) as error:
            text = f"{kind}_evaluator: {' '.join(str(error).split())}"
            found.append(Finding(STOP, test.loader, text))
    return found


def overview(reports: list[DatasetReport]) -> Table:
    """Numbers of all data sets, a column each."""
    table = Table(title="data sets")
    table.add_column("")
    for report in reports:
        table.add_column(report.loader.removesuffix("_dataloader"), justify="right")
    for heading in dict.fromkeys(key for report in reports for key in report.facts):
        table.add_row(heading, *[_cell(heading, report.facts.get(heading)) for report in reports])
    return table


def findings_table(findings: list[Finding]) -> Table:
    """What was found, worst first."""
    table = Table(title="findings", show_lines=True)
    for heading in ("kind", "where", "what"):
        table.add_column(heading, overflow="fold")
    for one in sorted(findings, key=lambda one: list(STYLES).index(one.level)):
        style = STYLES[one.level]
        where = one.loader.replace("_dataloader", "")
        table.add_row(f"[{style}]{one.level}[/]", where, _escape(one.text))
    return table


def class_table(reports: list[DatasetReport]) -> Table:
    """Actions per class, a column per data set."""
    counts = {one.loader: class_counts(one.records, one.classes) for one in reports}
    table = Table(title="actions per class")
    table.add_column("class")
    for loader in counts:
        table.add_column(loader.removesuffix("_dataloader"), justify="right")
    for label in dict.fromkeys(label for one in counts.values() for label in one):
        table.add_row(_escape(label), *[f"{one.get(label, 0):,}" for one in counts.values()])
    return table


def _cell(heading: str, value: Any) -> str:
    if value is None:
        return "-"
    if heading == "shown per epoch":
        return f"{value:.1%}"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _escape(text: str) -> str:
    return text.replace("[", "\\[")


def draw(reports: list[DatasetReport], path: Path, title: str) -> None:
    """Write the picture."""
    named = {
        report.loader.removesuffix("_dataloader"): distributions(report.records)
        for report in reports
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_distributions(named, title).savefig(path, dpi=150)


def main() -> int:
    """Check, print the tables and draw; returns the exit status."""
    args = parse_args()
    cfg = read_config(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    MMLogger.get_instance("check_dataset", log_level="ERROR")  # the tables say it all
    with DefaultScope.overwrite_default_scope(cfg.get("default_scope", "mmtad")):
        reports = check_loaders(cfg, args.probe)
        findings = [one for report in reports for one in report.findings]
        train = [one for one in reports if one.loader.startswith("train")]
        tests = [one for one in reports if not one.loader.startswith("train")]
        for one in train:
            findings += check_head(cfg, one)
        for test in tests:
            findings += check_evaluator(cfg, test)
            findings += [found for one in train for found in compare_datasets(one, test)]
    console = Console()
    if not console.is_terminal:
        console.width = 160  # a pipe or a file has no width to fit into
    if any(report.facts for report in reports):
        console.print(overview(reports))
    if args.per_class:
        console.print(class_table(reports))
    console.print(findings_table(findings) if findings else "nothing to complain about")
    if any(len(distributions(report.records).lengths) for report in reports):
        name = osp.splitext(osp.basename(args.config))[0]
        path = Path(args.out or osp.join("work_dirs", name, "distributions.png"))
        draw(reports, path, name)
        console.print(f"distributions: {path}", soft_wrap=True)
    return int(any(one.level in (STOP, HARM) for one in findings))


if __name__ == "__main__":
    status: list[int] = []
    sys.exit(run_cli(lambda: status.append(main())) or sum(status))
