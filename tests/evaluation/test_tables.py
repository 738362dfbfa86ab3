from mmtad.evaluation import detection_report, detection_table
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
