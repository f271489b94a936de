"""The regression gate on instructions: what each row of the benchmark may cost, in limits.csv.

"make bench-limits" makes the file anew from a run. tests/scenarios/test_bench.py compares a run with it.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import ROWS, programs
from systems import Backstore, BenchError, ROOT, Setup

sys.path.insert(0, str(ROOT / "boot"))

from disks import MachineError  # noqa: E402

FILE = Path(__file__).with_name("limits.csv")
ABOVE = 0.02  # what a row may cost more than it did: where the clock's ticks fall, and what the linker has moved
BELOW = 0.05  # what is cheaper by more deserves a lower limit
SPARSE = "sparse"


def measure(image, scratch):
    """{row: instructions}."""
    return Backstore(image).run(Setup(Path(scratch) / "swap.img"), [*programs(), SPARSE])


def read():
    with open(FILE, newline="") as file:
        return {row["row"]: float(row["instructions"]) for row in csv.DictReader(file)}


def write(figures):
    with open(FILE, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["row", "instructions"])
        out.writerows([name, f"{value:.0f}"] for name, value in figures.items())


def look_closer(name):
    row = ROWS[name].program or name if name in ROWS else SPARSE
    return f"make profile ROW={row}"


def compare(figures, limits):
    """(lines about rows that cost too much or are missing, lines about limits that could be lower)."""
    wrong, lower = [], []
    for name in sorted(set(figures) ^ set(limits)):
        wrong.append(f"{name}: {'measured, but has no limit' if name in figures else 'has a limit, but was not measured'}: "
                     "make bench-limits")
    for name in (name for name in limits if name in figures):
        value, limit = figures[name], limits[name]
        change = f"{name}: {value:,.0f} instructions, the limit is {limit:,.0f} ({100 * (value / limit - 1):+.1f} %)"
        if value > limit * (1 + ABOVE):
            wrong.append(f"{change}. Where they go: {look_closer(name)}")
        elif value < limit * (1 - BELOW):
            lower.append(f"{change}. Lower the limit: make bench-limits")
    return wrong, lower


def main():
    parser = argparse.ArgumentParser(description="Makes limits.csv anew.")
    parser.add_argument("--image", type=Path, required=True, help="the system volume")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            figures = measure(arguments.image, scratch)
    except (BenchError, MachineError, subprocess.SubprocessError, OSError) as error:
        print(f"bench-limits: {error}", file=sys.stderr)
        return 1
    for line in sum(compare(figures, read()), []) if FILE.exists() else []:
        print(line)
    write(figures)
    print(f"{FILE} is made.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
