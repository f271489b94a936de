"""No memory operation of the release build costs more instructions than it did: tests/bench/limits.csv.

QEMU counts the guest's instructions, so the figures are the same on a loaded host. Another version of the compiler makes
other code: "make bench-limits" makes the limits anew.
"""

import sys
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import bench  # noqa: E402
import limits  # noqa: E402
import systems  # noqa: E402


class CostLimitHigh(UserWarning):
    """A row costs less than its limit says: the gate would not notice a loss."""


def test_instructions(builds, tmp_path):
    wrong, lower = limits.compare(limits.measure(builds.get("release").image, tmp_path), limits.read())
    for line in lower:
        warnings.warn(line, CostLimitHigh)
    assert not wrong, "\n".join([*wrong, "All rows: make bench SYSTEMS=Backstore. If the compiler is another one than the "
                                         "limits were made with, or it is worth it: make bench-limits"])


def test_comparison():
    """What the gate says of each kind of difference."""
    known = {"touch": 1000.0, "second-view": 100.0, "reserve-1T": 5000.0, "gone": 1.0}
    wrong, lower = limits.compare({"touch": 1021.0, "second-view": 94.0, "reserve-1T": 5200.0, "new": 1.0}, known)
    assert wrong == [
        "gone: has a limit, but was not measured: make bench-limits",
        "new: measured, but has no limit: make bench-limits",
        "touch: 1,021 instructions, the limit is 1,000 (+2.1 %). Where they go: make profile ROW=touch",
        "reserve-1T: 5,200 instructions, the limit is 5,000 (+4.0 %). Where they go: make profile ROW=sparse",
    ]
    assert lower == ["second-view: 94 instructions, the limit is 100 (-6.0 %). Lower the limit: make bench-limits"]
    same = {name: value * 1.02 for name, value in known.items()}
    assert limits.compare(same, known) == ([], []) and limits.compare(known, known) == ([], [])


def test_figures():
    """A run that did not end has no figures."""
    text = "bench touch                 1174.22 per page\nbench reserve-1T          1.00 per reservation\n"
    assert systems.figures(text + "bench end\n", "Linux") == {"touch": 1174.22, "reserve-1T": 1.0}
    with pytest.raises(systems.BenchError, match="Linux: the benchmark did not end"):
        systems.figures(text, "Linux")


def test_systems():
    assert bench.names_parse("all") == bench.SYSTEMS
    assert bench.names_parse("lean,Backstore") == ["Backstore", "lean"]
    with pytest.raises(systems.BenchError, match="SYSTEMS=Linus: .* is allowed"):
        bench.names_parse("Linus")
