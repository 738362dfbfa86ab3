from mmtad.evaluation import (
    detection_report,
    detection_table,
    proposal_report,
    proposal_table,
    retrieval_report,
    retrieval_table,
)
from mmtad.evaluation.tables import render

GT = {
    "database": {
        "a": {
            "annotations": [
                {"segment": [0, 10], "label": "run"},
                {"segment": [0, 9], "label": "[bold]jump"},
            ]
        }
    }
}
FOUND = {"results": {"a": [{"segment": [0, 8], "label": "run", "score": 1.0}]}}


def test_table_in_percent():
    tiou = [round(0.5 + 0.05 * i, 2) for i in range(10)]
    text = render(detection_table(detection_report(GT, FOUND, tiou)))
    assert "1 detections on 1 videos, 2 annotated actions of 2 classes" in text.splitlines()[0]
    header, row = (line for line in text.splitlines() if line.startswith("| "))
    assert [cell.strip() for cell in header.split("|")[1:-1]] == [
        "tIoU",
        *(f"{t:.2f}" for t in tiou),
        "average",
    ]
    assert [c.strip() for c in row.split("|")[1:-1]] == [
        "mAP",
        *["50.00"] * 7,
        *["0.00"] * 3,
        "35.00",
    ]


def test_per_class_rows_show_labels_as_they_are():
    text = render(detection_table(detection_report(GT, FOUND, 0.5), per_class=True))
    assert any("[bold]jump" in line and "0.00" in line for line in text.splitlines())
    assert any("run" in line and "100.00" in line for line in text.splitlines())


def cells(table):
    lines = (line for line in render(table).splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_style_is_named():
    text = render(detection_table(detection_report(GT, FOUND, 0.5, style="thumos")))
    assert text.startswith("mAP (%, THUMOS style) of 1 detections")


def test_proposals():
    report = proposal_report(GT, FOUND, [0.5, 0.85])
    assert cells(proposal_table(report, [1, 5, 500], per_class=True)) == [
        ["tIoU", "actions", "AN=1", "AN=5", "AUC"],
        ["0.50", "2", "100.00", "100.00", "99.00"],
        ["0.85", "2", "50.00", "50.00", "49.50"],
        ["AR", "2", "75.00", "75.00", "74.25"],
        ["[bold]jump", "1", "100.00", "100.00", "99.00"],
        ["run", "1", "50.00", "50.00", "49.50"],
    ]
    assert cells(proposal_table(report))[-1] == ["AR", *["75.00"] * 4, "74.25"]


def test_retrieval():
    report = retrieval_report(GT, FOUND, [0.5, 0.85], top_k=[1, 2])
    assert cells(retrieval_table(report, per_class=True)) == [
        ["tIoU", "actions", "0.50", "0.85", "average"],
        ["recall@1x", "2", "50.00", "0.00", "25.00"],
        ["recall@2x", "2", "50.00", "0.00", "25.00"],
        *([f"[bold]jump @{k}x", "1", "0.00", "0.00", "0.00"] for k in (1, 2)),
        *([f"run @{k}x", "1", "100.00", "0.00", "50.00"] for k in (1, 2)),
    ]
    assert "mean over classes" in render(retrieval_table(report))
