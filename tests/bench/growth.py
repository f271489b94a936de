"""How the cost of memory operations grows: "make growth".

The rows of "make bench" in machines of 64 MiB to 8 GiB, in a process with 1 to 10,000 views more, and beside 1 to 1,000
processes; memory that is reserved, of 64 KiB to 1 TiB; and first touches a second on 1 to 4 processors, which is the one
figure in time. Tables, and all figures in build/growth.csv.
"""

import argparse
import csv
import math
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench import ROWS, names_parse, print_table, programs, text_of
from document import write_part
from systems import BenchError, ROOT, Setup, progress, system_make

sys.path.insert(0, str(ROOT / "boot"))

from disks import MachineError  # noqa: E402

SAME = 0.10  # figures that differ by less are one figure


@dataclass
class Point:
    """A machine, and how the program bench is run there. size: what the columns differ by."""

    size: int
    label: str
    ram: str = "256M"
    words: list = field(default_factory=list)


@dataclass
class Dimension:
    name: str
    what: str
    points: list
    rows: dict  # {row: what}


ALL_ROWS = {name: row.what for name, row in ROWS.items()}
DIMENSIONS = [
    Dimension("memory", "memory of the machine",
              [Point(64, "64 MiB", "64M"), Point(1024, "1 GiB", "1G"), Point(8192, "8 GiB", "8G")], ALL_ROWS),
    Dimension("views", "more views in the process",
              [Point(n, f"{n:,}", words=["-v", str(n)]) for n in (1, 100, 10_000)], ALL_ROWS),
    Dimension("processes", "processes alive",
              [Point(n, f"{n:,}", "1G", ["-p", str(n)] if n > 1 else []) for n in (1, 32, 1000)], ALL_ROWS),
]
SIZES = {"64K": (64 << 10, "64 KiB"), "1G": (1 << 30, "1 GiB"), "1T": (1 << 40, "1 TiB")}
SPARSE = {"reserve-unused": "private memory reserved, freed",
          "section-unused": "section and view of it made, both gone",
          "reserve": "private memory reserved, a page used, freed",
          "section": "section and view of it made, a page used, both gone"}
SPARSE_AT = "256M", "-v", "1"
CPUS = [1, 2, 4]
PARALLEL = {"faults-threads": "threads of one process", "faults-processes": "processes"}


def judge(sizes, values):
    """How it grows: "flat", "logarithmic" or "linear", by how the steps between three figures compare; two only say "flat"."""
    known = [(size, value) for size, value in zip(sizes, values) if value is not None]
    if len(known) < 2:
        return "-"
    sizes, values = zip(*known)
    if values[-1] <= values[0] * (1 + SAME) and max(values) <= min(values) * (1 + 2 * SAME):
        return "flat"
    if values[-1] < values[0]:
        return "falls"
    if len(known) < 3:
        return "grows"
    first, last = max(values[1] - values[0], values[0] / 100), values[-1] - values[-2]
    linear = (sizes[-1] - sizes[-2]) / (sizes[1] - sizes[0])
    logarithmic = math.log(sizes[-1] / sizes[-2]) / math.log(sizes[1] / sizes[0])
    return "linear" if last / first > math.sqrt(linear * logarithmic) else "logarithmic"


class Figures:
    """{(system, dimension, size, row): [figures]}, and the file of all of them."""

    def __init__(self):
        self._got = {}

    def add(self, system, dimension, size, rows):
        for row, value in rows.items():
            self._got.setdefault((system, dimension, size, row), []).append(value)

    def get(self, *key):
        values = self._got.get(key)
        return statistics.median(values) if values else None

    def write_csv(self, path):
        with open(path, "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["system", "dimension", "size", "row", "median", "minimum", "maximum"])
            for key, values in self._got.items():
                out.writerow([*key, statistics.median(values), min(values), max(values)])


def run_point(name, system, setup, words):
    """{row: value}; none for a system to compare with that can't run there: Debian's kernel does not start in 64 MiB."""
    try:
        return system.run(setup, words)
    except BenchError as error:
        if name == "Backstore":
            raise
        progress(f"left out: {error}")
        return {}


def measure(systems, arguments):
    figures, swap_image = Figures(), arguments.build / "bench-swap.img"
    for name, system in systems.items():
        done = {}  # one machine is a point of two dimensions
        for dimension in DIMENSIONS:
            for point in dimension.points:
                key = point.ram, *point.words
                if key not in done:
                    progress(f"{name}, {dimension.what}: {point.label}")
                    done[key] = run_point(name, system, Setup(swap_image, ram=point.ram),
                                          [*point.words, *programs(), "sparse"])
                figures.add(name, dimension.name, point.size, {row: done[key][row] for row in ROWS if row in done[key]})
        for kind in SPARSE:
            for size, (size_bytes, _) in SIZES.items():
                row = f"{kind}-{size}"
                figures.add(name, "sparse", size_bytes, {kind: done[SPARSE_AT][row]} if row in done[SPARSE_AT] else {})
    for number in range(arguments.rounds):
        for cpus in CPUS:
            for name, system in systems.items():
                progress(f"{name}, {cpus} processors, in time, round {number + 1} of {arguments.rounds}")
                figures.add(name, "processors", cpus, system.run(
                    Setup(swap_image, "tcg,thread=multi", [], ram="512M", cpus=cpus), ["parallel"]))
    return figures


def table_make(figures, systems, dimension, sizes, labels, rows, verdict=True):
    lines = [["row"]]
    for name in systems:
        lines[0] += [f"{name}, {labels[0]}", *labels[1:], *(["grows"] if verdict else [])]
    for row, what in rows.items():
        line = [what]
        for name in systems:
            values = [figures.get(name, dimension, size, row) for size in sizes]
            line += map(text_of, values)
            if verdict:
                line.append(judge(sizes, values))
        lines.append(line)
    return lines


def tables(figures, systems):
    """[(title, lines)]."""
    made = [(f"By {d.what}:", table_make(figures, systems, d.name, [p.size for p in d.points],
                                        [p.label for p in d.points], d.rows)) for d in DIMENSIONS]
    made.append(("By the size of memory that is reserved, not used:",
                 table_make(figures, systems, "sparse", [size for size, _ in SIZES.values()],
                            [label for _, label in SIZES.values()], SPARSE)))
    made.append((f"Thousand first touches a second, release included, one worker for each processor (in time, on a host "
                 f"with {os.cpu_count()} processors, so that more of the guest's can't add anything):",
                 table_make(figures, systems, "processors", CPUS, ["1 CPU", "2", "4"], PARALLEL, verdict=False)))
    return made


def main():
    parser = argparse.ArgumentParser(description="How the cost of memory operations grows.")
    parser.add_argument("--image", type=Path, required=True, help="the system volume")
    parser.add_argument("--program", type=Path, required=True, help="the benchmark, built for Linux")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--rounds", type=int, default=5, help="of what is measured in time")
    parser.add_argument("--systems", default="all", help="some of those of make bench; all: Backstore,Linux")
    parser.add_argument("--document", type=Path, help="put the tables there too")
    arguments = parser.parse_args()
    try:
        names = "Backstore,Linux" if arguments.systems == "all" else arguments.systems
        systems = {name: system_make(name, arguments.image, arguments.program, arguments.build)
                   for name in names_parse(names)}
        figures = measure(systems, arguments)
    except (BenchError, MachineError, subprocess.SubprocessError, OSError) as error:
        print(f"growth: {error}", file=sys.stderr)
        return 1
    made = tables(figures, systems)
    figures.write_csv(arguments.build / "growth.csv")
    if arguments.document:
        write_part(arguments.document, "make growth", made)
    for title, lines in made:
        print(title)
        print_table(lines)
        print()
    print(f"Instructions of the guest, but for the last table. All figures: {arguments.build / 'growth.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
