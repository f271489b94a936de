"""How the system degrades when programs touch more memory than there is: "make degrade".

Boots a machine for each replacement policy and each kind of paging file, and runs the program thrash there with sets of
half of memory to four times memory. The tables go into docs/paging.md, all numbers into build/degrade.csv. Fails if a
process makes no progress or a page is not what was written; never because of time.

Time is the guest's: -icount makes it one ns for each instruction, and what a disk takes besides. So a loaded host changes
little.
"""

import argparse
import csv
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "boot"), str(ROOT / "tests/scenarios")]

from disks import MachineError  # noqa: E402
from machine import Machine  # noqa: E402
from paging_files import NbdServer  # noqa: E402

SIZES = [50, 75, 100, 125, 150, 200, 300, 400]  # percent of memory
MEMORY = "mem=24M"
SWAP = "112M"
DELAY = "10ms"
BEGIN, END = "<!-- made by make degrade: begin -->", "<!-- made by make degrade: end -->"
TIMEOUT = 900


POLICIES = ["clock", "fifo", "lru", "random"]


@dataclass
class Kind:
    """A kind of paging file."""

    name: str
    swap: str  # "slow" is a server with a delay
    ram: str = "64M"


KINDS = [
    Kind("disk", SWAP),
    Kind("RAM disk", f"ramdisk:{SWAP}", ram="192M"),
    Kind("slow disk", "slow"),
    Kind("none", "none"),
]


@dataclass
class Row:
    kind: Kind
    policy: str

    @property
    def name(self):
        return f"{self.kind.name}, {self.policy}"


ROWS = [Row(kind, policy) for kind in KINDS for policy in POLICIES]


class Failure(Exception):
    """A machine did not end well, or a run of thrash did not."""


def swap_of(kind):
    if kind.swap == "slow":
        return NbdServer("memory", SWAP, filters=["delay"], parameters=[f"rdelay={DELAY}", f"wdelay={DELAY}"])
    return nullcontext()


def measure(row, arguments):
    """{size: {name: value}} of one machine."""
    commands = [f"thrash -r -w {size}% -a {arguments.pattern} -W {arguments.writes} -d {arguments.seconds} -P 2"
                for size in SIZES]
    console = "\n".join([*commands, "exit 0", ""]).encode()
    with tempfile.TemporaryDirectory(prefix="backstore-degrade-") as directory, swap_of(row.kind) as server:
        machine = Machine(arguments.image, ram=row.kind.ram, swap=server.swap if server else row.kind.swap, console=console,
                          options=f"{MEMORY} replace={row.policy}", accel="tcg,thread=single",
                          extra=["-icount", "shift=0"], swap_image=f"{directory}/swap.img")
        with machine.start(stdin=subprocess.DEVNULL) as guest:
            result = guest.wait(TIMEOUT)
    if result.code != 0:
        raise Failure(f"{row.name}: {result.reason or result.code}\n{result.output[-3000:]}\n{result.errors}")
    found = {}
    for size, command in zip(SIZES, commands):
        text = re.split(r"^C:\\> ", result.output[result.output.index(f"> {command}\n") + 2:], maxsplit=1, flags=re.M)[0]
        if "each page held what was written to it" not in text:
            raise Failure(f"{row.name}, {size} %:\n{text}")
        found[size] = {name: int(value) for name, value in re.findall(r"^(\w+)=(\d+)$", text, re.M)}
    print(f"{row.name}: done", flush=True)
    return found


# ---- what the numbers say ----

def rate(run):
    """Pages touched a second."""
    return 1000 * run["touched"] / max(run["elapsed_ms"], 1)


def waits(run):
    """Of 1,000 accesses, how many waited for a paging file."""
    return 1000 * run["swap_in_faults"] / max(run["touched"], 1)


def pages_each(run):
    return run["pages_in"] / max(run["read_requests"], 1)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def table(results, title, cell):
    lines = [f"| {title} | " + " | ".join(f"{size} %" for size in SIZES) + " |", "| --- |" + " ---: |" * len(SIZES)]
    for row in ROWS:
        lines.append(f"| {row.name} | " + " | ".join(cell(results[row.name][size]) for size in SIZES) + " |")
    return lines


def rate_cell(run):
    refused = run["pages_wanted"] - run["pages_committed"]
    return number(rate(run) / 1000) + (f" ({100 * refused / run['pages_wanted']:.0f} % refused)" if refused > 16 else "")


def sentences(results):
    """Where it falls and why, from the counters of the first row and of the slow disk."""
    disk, slow = results["disk, clock"], results["slow disk, clock"]
    best = rate(disk[SIZES[0]])
    fallen = next((size for size in SIZES if rate(disk[size]) < best / 2), None)
    if fallen is None:
        return "On a disk with `clock` the rate does not fall to half of the first one in this range."
    before, last = SIZES[SIZES.index(fallen) - 1], SIZES[-1]
    best_policy = max(POLICIES, key=lambda policy: sum(rate(results[f"disk, {policy}"][size]) for size in SIZES[3:]))
    return (f"With `clock` on a disk the rate is below half of the first one from {fallen} % on: there "
            f"{number(waits(disk[fallen]))} of 1,000 accesses waited for the paging file, at {before} % "
            f"{number(waits(disk[before]))}, and at {last} % {number(waits(disk[last]))}, {pages_each(disk[last]):.1f} pages a "
            f"request. On the slow disk it is the number of requests alone that counts: at {last} % "
            f"{number(rate(slow[last]))} pages a second with {number(waits(slow[last]))} waits in 1,000 accesses; beyond memory "
            f"the best policy on the disk is `{best_policy}` for this pattern, and without a paging file nothing slows down, as "
            "what does not fit is refused.")


def document(results, arguments):
    lines = [f"Thousands of pages touched a second of the guest's time, by two processes ({MEMORY}, pattern "
             f"`{arguments.pattern}`, {arguments.writes} % of the accesses write; the columns are the set's size in percent of "
             f"memory; `slow`: {DELAY} for each request):", ""]
    lines += table(results, "paging file", rate_cell)
    lines += ["", "Of 1,000 accesses, how many waited for a paging file, and how many pages a request brought:", ""]
    lines += table(results, "waits / pages", lambda run: f"{number(waits(run))} / {pages_each(run):.1f}")
    return "\n".join([*lines, "", sentences(results)])


def write_document(path, text):
    """Between the two markers; they are made at the end if they are not there."""
    old = path.read_text() if path.exists() else "# Paging\n"
    if BEGIN not in old:
        old += f"\n## How it degrades\n\n{BEGIN}\n{END}\n"
    head, rest = old.split(BEGIN, 1)
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")


def write_csv(path, results):
    names = list(next(iter(next(iter(results.values())).values())))
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["machine", "percent", *names])
        for row, sizes in results.items():
            for size, run in sizes.items():
                writer.writerow([row, size, *(run[name] for name in names)])


def main():
    parser = argparse.ArgumentParser(description="Measures how Backstore degrades. make degrade calls this.")
    parser.add_argument("--image", default=str(ROOT / "build/release/system.img"))
    parser.add_argument("--pattern", default="zipf", choices=["sequential", "random", "zipf", "loop"])
    parser.add_argument("--writes", type=int, default=30, help="percent")
    parser.add_argument("--seconds", type=int, default=1, help="of the guest's time, for each cell")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--csv", default=str(ROOT / "build/degrade.csv"))
    parser.add_argument("--document", default=str(ROOT / "docs/paging.md"))
    arguments = parser.parse_args()
    try:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            results = dict(zip([row.name for row in ROWS], pool.map(lambda row: measure(row, arguments), ROWS)))
    except (Failure, MachineError, RuntimeError) as failure:
        print(failure, file=sys.stderr)
        return 1
    write_csv(arguments.csv, results)
    text = document(results, arguments)
    write_document(Path(arguments.document), text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
