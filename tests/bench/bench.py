"""What memory operations cost here and on Linux, in one run and one table: "make bench".

All systems boot in the same QEMU with the same processor and memory, and run the same benchmark
(userland/programs/bench). MODE=instructions counts the guest's instructions: each run gives the same figures, whatever
else the machine does; Linux's differ by up to 5 % from one build of the benchmark to the next, by where its clock's ticks
fall. MODE=time measures time: the systems in turn, medians and minima of several rounds.
"""

import argparse
import csv
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from document import write_part
from systems import BenchError, ROOT, Setup, progress, system_make

sys.path.insert(0, str(ROOT / "boot"))

from disks import MachineError  # noqa: E402


@dataclass
class Row:
    """goal: in instructions. program: what the program calls the row that measures it, if not the same."""

    what: str
    goal: float
    program: str = None


ROWS = {
    "null-call": Row("null system call", 80),
    "touch": Row("first touch of private memory, a page", 800),
    "touch-large": Row("the same in 2 MiB pages, a 4 KiB", 560),
    "section-touch": Row("first touch of an anonymous section, a page", 900),
    "second-view": Row("touch through a second view of it, a page", 110, "section-touch"),
    "copy-on-write": Row("write to a copy-on-write page", 900),
    "last-owner": Row("the same as its last owner", 300, "copy-on-write"),
    "release": Row("release of touched memory, a page", 150, "touch"),
    "map-unmap": Row("map and unmap a page, untouched", 2000),
    "map-touch-unmap": Row("map and unmap a page, touched", 3000, "map-unmap"),
    "protect": Row("protect a page and back", 1000),
    "clone-0": Row("clone, exit, wait: 0 MiB", 35_000, "clone"),
    "clone-16": Row("clone, exit, wait: 16 MiB", 400_000, "clone"),
    "clone-64": Row("clone, exit, wait: 64 MiB", 1_500_000, "clone"),
    "start": Row("start of a program, exit, wait", 67_000),
    "handler": Row("a handler fixes a protection", 2200),
    "switch": Row("token between two processes, a switch", 1200),
    "file-view": Row("touch of a cached file through a fresh view, a page", 300, "file"),
    "file-read-64K": Row("read of a cached file, 64 KiB a call, 4 KiB of it", 800, "file"),
    "file-read-4K": Row("the same, 4 KiB a call", 1200, "file"),
}
# In time alone. Throughput is better when it is higher.
SWAP_ROWS = {
    "swap-out": Row("paging out in order, MiB/s", 800, "swap"),
    "swap-in": Row("paging in in order, MiB/s", 450, "swap"),
    "swap-random": Row("paging in at random, thousand ticks a page", 320, "swap"),
}
# The same, of a file of twice the memory; the disk of Linux has this file system, ours FAT32.
DISK_ROWS = {f"disk-{what}-{kind}": Row(f"a large file {text}, MiB/s; Linux: {kind}", None)
             for kind in ("vfat", "ext4") for what, text in (("write", "written"), ("read", "read"))}
HIGHER_IS_BETTER = {"swap-out", "swap-in", *DISK_ROWS}
SYSTEMS = ["Backstore", "Linux", "lean", "defaults"]
TIME_GOAL = 1.6  # in time: so many times the floor at most, and less than the lean Linux
SWAP_RAM = "128M"
TITLES = {
    "instructions": "Instructions of the guest:",
    "time": "Ticks of the time-stamp counter, medians of {rounds} rounds in turn; differences under 10 % (25 % of clones and "
            "maps) mean nothing:",
}
WINDOWS = {"2": "window of 1/2", "8": "window of 1/8", "32": "window of 1/32"}


def programs():
    """The program's own rows, as its arguments: each once."""
    return [*dict.fromkeys(row.program or name for name, row in ROWS.items())]


def kinds_make(name, setup, mode, only):
    """The machines to boot in each round, and the program's words: [(what lines of progress say, machine, words)]."""
    rows = {"Backstore": [*programs(), "awe"], "floor": []}.get(name, programs())
    kinds = [("all rows", setup, rows)] if only in (None, "memory") or name == "floor" else []
    if mode == "time" and name != "floor" and only in (None, "paging"):
        kinds.append(("paging", Setup(setup.swap_image, setup.accel, setup.extra, SWAP_RAM, swap=True), ["swap"]))
    if mode == "time" and name != "floor" and only in (None, "disk"):
        kinds += [(f"a large file, {disk}", Setup(setup.swap_image, setup.accel, setup.extra, SWAP_RAM, disk=disk), ["disk"])
                  for disk in ("vfat", "ext4")]
    return kinds


def measure(systems, setup, mode, rounds, only):
    """{system: {row: [figure of each round]}}; the systems take turns."""
    columns = {name: {} for name in systems}
    for number in range(rounds):
        for name, system in systems.items():
            for what, machine, words in kinds_make(name, setup, mode, only):
                progress(f"{name}, {machine.ram}, {what}, round {number + 1} of {rounds}")
                for row, value in system.run(machine, words).items():
                    columns[name].setdefault(f"{row}-{machine.disk}" if machine.disk else row, []).append(value)
    return columns


def systems_make(names, arguments):
    """{name: system}. A lean Linux that can't be built is left out, with a line that says so."""
    systems = {}
    for name in names:
        try:
            systems[name] = system_make(name, arguments.image, arguments.program, arguments.build)
        except (BenchError, subprocess.CalledProcessError, OSError) as error:
            if name != "lean":
                raise
            progress(f'the column "lean" is left out: {error}')
    return systems


def text_of(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def ratio_text(row, ours, other):
    if not ours or not other:
        return "-"
    return f"{ours / other if row in HIGHER_IS_BETTER else other / ours:.1f}"


def goal_of(name, row, middle, mode):
    """In time it is made of the figures of the same run, but for paging, which has no floor."""
    if mode == "instructions" or name in SWAP_ROWS:
        return row.goal
    if name in DISK_ROWS:
        return None
    goals = [middle["floor"] * TIME_GOAL if middle.get("floor") else None, middle.get("lean")]
    return min((goal for goal in goals if goal), default=None)


def table(columns, mode):
    """Lines of fields: medians; in time, ours also at its best."""
    names = {**ROWS, **({**SWAP_ROWS, **DISK_ROWS} if mode == "time" else {})}
    systems = [name for name in columns if name != "floor"]
    others = [name for name in systems if name in ("Linux", "lean") and "Backstore" in columns]
    best = mode == "time" and "Backstore" in columns
    lines = [["row", *systems, *(["best"] if best else []), *(f"{name} / ours" for name in others), "floor", "goal"]]
    for name, row in names.items():
        got = {system: figures.get(name) for system, figures in columns.items()}
        middle = {system: statistics.median(values) if values else None for system, values in got.items()}
        line = [row.what, *(text_of(middle[system]) for system in systems)]
        if best:
            ours = got["Backstore"]
            line.append(text_of((max if name in HIGHER_IS_BETTER else min)(ours) if ours else None))
        line += [ratio_text(name, middle["Backstore"], middle[other]) for other in others]
        lines.append([*line, text_of(middle.get("floor")), text_of(goal_of(name, row, middle, mode))])
    return lines


def window_table(figures):
    """Row 15: pages visited through a window that moves, beside one view of all of them."""
    def value(order, where):
        got = figures.get(f"awe-{order}-{where}")
        return statistics.median(got) if got else None

    lines = [["visited", "one view", *WINDOWS.values()]]
    for order, what in [("order", "in order, a word of each"), ("random", "at random, a word of each")]:
        lines.append([what, *(text_of(value(order, where)) for where in ["flat", *WINDOWS])])
    lines.append(["in order, the whole page", text_of(value("read", "flat")), *("-" for _ in WINDOWS)])
    return lines


def print_table(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join([line[0].ljust(widths[0])] + [text.rjust(width) for text, width in zip(line[1:], widths[1:])]))


def write_csv(path, columns):
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["row", "system", "median", "minimum", "maximum", "rounds"])
        for system, got in columns.items():
            for row, values in got.items():
                out.writerow([row, system, statistics.median(values), min(values), max(values), len(values)])


def names_parse(text):
    if text == "all":
        return SYSTEMS
    names = text.split(",")
    wrong = [name for name in names if name not in SYSTEMS]
    if wrong:
        raise BenchError(f"SYSTEMS={text}: \"all\", or some of {','.join(SYSTEMS)}, separated by commas, is allowed")
    return [name for name in SYSTEMS if name in names]


def main():
    parser = argparse.ArgumentParser(description="Memory operations here and on Linux, in one table.")
    parser.add_argument("--image", type=Path, required=True, help="the system volume")
    parser.add_argument("--program", type=Path, required=True, help="the benchmark, built for Linux")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--mode", choices=["instructions", "time"], default="instructions")
    parser.add_argument("--rounds", type=int, default=5, help="in time; instructions need one")
    parser.add_argument("--systems", default="all", help=f"all, or some of {','.join(SYSTEMS)}")
    parser.add_argument("--document", type=Path, help="put the tables there too")
    parser.add_argument("--only", choices=["memory", "paging", "disk"], help="some of the rows; paging and disk: in time")
    arguments = parser.parse_args()
    if arguments.only in ("paging", "disk") and arguments.mode != "time":
        parser.error(f"--only {arguments.only}: wants --mode time; instructions say nothing of a disk")
    setup, rounds = Setup(arguments.build / "bench-swap.img"), 1
    if arguments.mode == "time":
        setup.accel, setup.extra, rounds = "tcg,thread=multi", [], max(arguments.rounds, 1)
    try:
        systems = systems_make([*names_parse(arguments.systems), "floor"], arguments)
        columns = measure(systems, setup, arguments.mode, rounds, arguments.only)
    except (BenchError, MachineError, subprocess.SubprocessError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    write_csv(arguments.build / "bench.csv", columns)
    made = [(TITLES[arguments.mode].format(rounds=rounds), table(columns, arguments.mode))]
    if "Backstore" in columns:
        made.append(("32 MiB of data through a window, and through one view of all of it, per page visited:",
                     window_table(columns["Backstore"])))
    for title, lines in made:
        print(title)
        print_table(lines)
        print()
    if arguments.document:
        write_part(arguments.document, f"make bench MODE={arguments.mode}", made)
    print(f"All figures: {arguments.build / 'bench.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
