"""Memory of the measures: grows with the number of segments, not with pairs of them."""

import subprocess
import sys

# In a process of its own: arrays of compiled code are seen only in the process's peak, which other
# tests may have raised before. 50,000 segments of one video and 20 classes are 2.5e9 pairs, 1.25e8
# within the classes; 20,000 are 4e8 pairs. Even a byte for each would be more than is allowed.
SCRIPT = """
import resource
import numpy as np
import mmtad.evaluation as e

rng = np.random.default_rng(0)
names = [f"class_{k}" for k in range(20)]


def make(count, shift, scored=True):
    starts = rng.permutation(count).astype(float) + shift
    rows = []
    for i, start in enumerate(starts.tolist()):
        rows.append({"segment": [start, start + 1.5], "label": names[i % len(names)]})
        if scored:
            rows[-1]["score"] = float(i)
    return rows


def measure(count, fewer):
    truth = {"database": {"a": {"annotations": make(count, 0, False)}}}
    truth["database"]["a"]["annotations"].append({"segment": [0, 1], "label": "Ambiguous"})
    found = {"results": {"a": make(count, 0.25)}}
    for style in ("activitynet", "thumos", "thumos_kit"):
        e.evaluate_detections(truth, found, 0.5, style=style)
    e.evaluate_retrieval(truth, found, 0.5)
    truth["database"]["a"]["annotations"] = make(fewer, 0, False)
    found["results"]["a"] = make(fewer, 0.25)
    e.evaluate_proposals(truth, found, 0.5)
    e.pair_verbs_and_nouns(found, {"results": {"a": make(fewer, 0)}})


measure(200, 200)  # compile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
measure(50_000, 20_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_stays_linear():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 100 * 1024  # KiB; about 58 MiB are used
