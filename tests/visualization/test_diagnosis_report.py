import base64
import json
from html.parser import HTMLParser

import pytest

from mmtad.visualization import timeline_section, write_report
from mmtad.visualization.report_tables import (
    missed_tables,
    overview_tables,
    pair_tables,
    percent,
    sensitivity_tables,
)


class Page(HTMLParser):
    """What a page holds: pictures, addresses, tables as rows of cells, and open elements."""

    def __init__(self, text):
        super().__init__()
        self.images, self.addresses, self.rows, self.open, self.words = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "img":
            self.images.append(attributes["src"])
        if tag == "tr":
            self.rows.append([])
        self.addresses += [attributes[key] for key in ("href", "src") if key in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


@pytest.fixture(scope="module")
def report(tmp_path_factory, diagnoses, detections):
    results = diagnoses(6)
    names = ["adatad.json", "the sixth <b>result</b>.json"]
    truth, found = detections
    parts = {name: found[name]["results"]["3"] for name in names}
    section = timeline_section(truth["database"]["3"], parts, "3 & <4>")
    shown = {name: results[name] for name in names}
    folder = tmp_path_factory.mktemp("report") / "new"
    files = write_report(folder, shown, ground_truth="gt.json", timelines=[section])
    return shown, files


def test_the_page_stands_alone(report):
    shown, files = report
    page = Page(files[0].read_text(encoding="utf-8"))
    assert not page.open  # every element is closed
    assert len(page.images) == 5
    for source in page.images:
        kind, _, data = source.partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data)[1:4] == b"PNG"
    inner = [a for a in page.addresses if a not in page.images]
    assert inner and all(address.startswith("#s") for address in inner)
    text = " ".join(page.words)
    assert "Timeline of 3 & <4>" in text and "the sixth <b>result</b>.json" in text
    one = shown["adatad.json"]
    assert ["adatad.json", f"{one.num_predictions:,}", percent(one.mean_ap, 2)] in [
        row[:3] for row in page.rows
    ]
    assert "<script" not in files[0].read_text() and "http" not in files[0].read_text()


def test_files(report):
    shown, files = report
    assert [path.name for path in files] == [
        "report.html",
        "diagnosis.json",
        "sensitivity.png",
        "false_positives.png",
        "false_negatives.png",
        "missed_pairs.png",
        "timeline_3____4_.png",
    ]
    numbers = json.loads(files[1].read_text())
    assert numbers["ground_truth"] == "gt.json" and list(numbers["results"]) == list(shown)
    for name, one in shown.items():
        assert numbers["results"][name] == json.loads(json.dumps(one.as_dict()))


def test_tables_hold_the_numbers(diagnoses):
    results = diagnoses(2)
    first, second = results.values()
    (table,) = overview_tables(results)
    assert table.rows[1][3] == f"{100 * second.map_n:.2f}"
    coverage, length, instances = sensitivity_tables(results)
    assert length.caption == "Length (s)" and [n for _, n in length.groups] == [4, 2, 2]
    row = length.rows[1]
    own = second.characteristics[1]
    assert row[:3] == ["S", "30–60", f"{own.counts[1]}"]
    assert row[6:] == [f"{100 * own.map_n[1]:.1f}", f"{own.map_n[1] / second.map_n:.2f}"]
    shares = [float(row[3]) for row in coverage.rows]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert missed_tables(diagnoses(1))[2].header[-1] == "missed (%)"
    assert not missed_tables(diagnoses(1))[2].groups
    pairs = pair_tables(results)
    assert len(pairs) == 6 and len(pairs[0].rows) == 5 and len(pairs[0].rows[0]) == 6


def test_formats(tmp_path, diagnoses):
    files = write_report(tmp_path, diagnoses(1, "ltp"), formats=["pdf", "svg"])
    names = {path.name for path in files}
    assert {"sensitivity.pdf", "sensitivity.svg"} <= names and "missed_pairs.pdf" not in names
    with pytest.raises(ValueError, match="pictures are png, pdf, svg, got 'gif'"):
        write_report(tmp_path, diagnoses(1), formats=["gif"])
