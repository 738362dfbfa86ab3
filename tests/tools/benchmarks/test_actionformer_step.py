import re


def test_prints_both_times(run_tool):
    done = run_tool(
        "benchmarks/actionformer_step.py",
        *("--steps", "576", "--channels", "8", "--rounds", "1", "--threads", "1", "--no-memory"),
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"median +│ +\d+\.\d\d s │ +\d+\.\d\d s │", done.stdout)
    assert "peak" not in done.stdout
