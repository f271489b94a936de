"""What memory operations cost here and on Linux, in one run and one table: "make bench".

Both systems boot in the same QEMU with the same processor and memory, and run the same benchmark
(userland/programs/bench). MODE=instructions counts the guest's instructions: each run gives the same figures, whatever
else the machine does. MODE=time measures time: the two systems in turn, medians and minima of several rounds.
"""

import argparse
import csv
import gzip
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "boot"))

from machine import Disk, Machine, MachineError  # noqa: E402

# The time-stamp counter counts instructions; the clock jumps over what the machine would wait for.
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01,clock=vm", "-seed", "1"]
TIMEOUT = 1200

# name: (what, unit, floor, goal), floor and goal in instructions. Source of the floors: a bare program that does only
# what the operation can't do without.
ROWS = {
    "null-call": ("null system call", 44, 80),
    "touch": ("first touch of private memory, a page", 545, 800),
    "touch-large": ("the same in 2 MiB pages, a 4 KiB", 519, 560),
    "section-touch": ("first touch of an anonymous section, a page", 545, 900),
    "second-view": ("touch through a second view of it, a page", 31, 110),
    "copy-on-write": ("write to a copy-on-write page", 556, 900),
    "last-owner": ("the same as its last owner", 31, 300),
    "release": ("release of touched memory, a page", None, 150),
    "map-unmap": ("map and unmap a page, untouched", None, 2000),
    "map-touch-unmap": ("map and unmap a page, touched", None, 3000),
    "protect": ("protect a page and back", None, 1000),
    "clone-0": ("clone, exit, wait: 0 MiB", None, 35_000),
    "clone-16": ("clone, exit, wait: 16 MiB", None, 400_000),
    "clone-64": ("clone, exit, wait: 64 MiB", None, 1_500_000),
    "handler": ("a handler fixes a protection", None, 2200),
    "switch": ("token between two processes, a switch", None, 1200),
}
# In time alone. Throughput is better when it is higher.
SWAP_ROWS = {
    "swap-out": ("paging out in order, MiB/s", None, 800),
    "swap-in": ("paging in in order, MiB/s", None, 450),
    "swap-random": ("paging in at random, thousand ticks a page", 309, 320),
}
HIGHER_IS_BETTER = {"swap-out", "swap-in"}
SYSTEMS = ["Backstore", "Linux", "Linux, defaults"]
LINUX_OPTIONS = {
    "Linux": "mitigations=off",
    "Linux, defaults": "BENCH_DEFAULTS=1",
}
SWAP_RAM, SWAP_SIZE = "128M", 512 << 20
DRIVER = "virtio_blk", "virtio_pci"


class BenchError(Exception):
    """What could not be run, and why."""


def figures(output, system):
    """{row: value} of a run's output."""
    if "bench end" not in output:
        raise BenchError(f"{system}: the benchmark did not end:\n{output[-3000:]}")
    return {name: float(value) for name, value in re.findall(r"^bench (\S+) +([0-9.]+) ", output, re.M)}


def run_backstore(setup, ram, rows):
    machine = Machine(str(setup.image), ram=ram, run=" ".join(["bench", *rows]), accel=setup.accel, extra=setup.extra,
                      swap=str(SWAP_SIZE >> 20) + "M" if rows else "none", swap_image=setup.swap_image)
    with machine.start(stdin=subprocess.DEVNULL) as guest:
        return figures(guest.wait(timeout=TIMEOUT).output, "Backstore")


def run_linux(setup, ram, rows, options):
    command = ["qemu-system-x86_64", "-nodefaults", "-no-reboot", "-machine", "q35,sata=off,usb=off,smbus=off,i8042=off",
               "-nic", "none", "-display", "none", "-vga", "none", "-accel", setup.accel, "-cpu", "qemu64", "-smp", "1",
               "-m", ram, "-serial", "stdio", "-kernel", str(setup.linux / "vmlinuz"),
               "-initrd", str(setup.linux / "initramfs"),
               "-append", " ".join(["console=ttyS0 quiet panic=-1", options, "--", *rows]), *setup.extra]
    if rows:
        make_swap_file(setup.swap_image)
        command += Disk(str(setup.swap_image), "swap").arguments()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, text=True)
    return figures(done.stdout.replace("\r", "") + done.stderr, "Linux")


def make_swap_file(path):
    path.unlink(missing_ok=True)
    with open(path, "xb") as file:
        file.truncate(SWAP_SIZE)
    subprocess.run(["/usr/sbin/mkswap", "-q", str(path)], check=True, stderr=subprocess.DEVNULL)


def linux_fetch(directory):
    """Debian's cloud kernel, from its package: the file vmlinuz, and the drivers of a disk in modules/."""
    if (directory / "modules" / "order").exists():
        return
    name = re.search(r"Depends: (linux-image-\S+)", subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True).stdout)
    if not name:
        raise BenchError('no package linux-image-cloud-amd64 is known here: "apt-get update" may help')
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(["apt-get", "download", "-q", name[1]], cwd=scratch, capture_output=True, text=True)
        packages = list(Path(scratch).glob("*.deb"))
        if not packages:
            raise BenchError(f"the package {name[1]} can't be had:\n{done.stderr}")
        subprocess.run(["dpkg-deb", "-x", str(packages[0]), scratch], check=True)
        modules = directory / "modules"
        modules.mkdir(parents=True, exist_ok=True)
        shutil.copy(next(Path(scratch).glob("boot/vmlinuz-*")), directory / "vmlinuz")
        found = {file.stem: file for file in Path(scratch).glob("lib/modules/**/*.ko")}
        order = []
        for driver in DRIVER:
            module_add(driver, found, order)
        for module in order:
            shutil.copy(found[module], modules)
        (modules / "order").write_text("".join(f"/modules/{module}.ko\n" for module in order))


def module_add(name, found, order):
    """Appends what a module needs, and the module, to order. Each says in its section .modinfo what it depends on."""
    if name in order:
        return
    needs = re.search(rb"\0depends=([^\0]*)\0", found[name].read_bytes())[1].decode()
    for need in filter(None, needs.split(",")):
        module_add(need, found, order)
    order.append(name)


def initramfs_make(directory, program):
    """An archive of the program, as /init, and the modules. Format: "newc", as the Linux kernel's documentation says in
    "initramfs buffer format"."""
    def entry(name, mode, data=b""):
        fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)

    archive = entry("init", 0o100755, program.read_bytes()) + entry("dev", 0o040755) + entry("modules", 0o040755)
    for file in sorted((directory / "modules").iterdir()):
        archive += entry(f"modules/{file.name}", 0o100644, file.read_bytes())
    (directory / "initramfs").write_bytes(gzip.compress(archive + entry("TRAILER!!!", 0), 1))


@dataclass
class Setup:
    image: Path
    linux: Path
    accel: str
    extra: list
    swap_image: Path


def measure(setup, mode, rounds, systems, only):
    """{system: {row: [figure of each round]}}; the systems take turns."""
    columns = {system: {} for system in systems}
    kinds = [("256M", [])] if only != "paging" else []
    kinds += [(SWAP_RAM, ["swap"])] if mode == "time" and only != "memory" else []
    for number in range(rounds):
        for system in systems:
            for ram, rows in kinds:
                print(f"bench: {system}, {ram}{', paging' if rows else ''}, round {number + 1} of {rounds}",
                      file=sys.stderr, flush=True)
                if system == "Backstore":
                    got = run_backstore(setup, ram, rows)
                else:
                    got = run_linux(setup, ram, rows, LINUX_OPTIONS[system])
                for row, value in got.items():
                    columns[system].setdefault(row, []).append(value)
    return columns


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def table(columns, mode):
    """Lines of text, and rows for a file of comma-separated values."""
    names = {**ROWS, **(SWAP_ROWS if mode == "time" else {})}
    head = ["row", *columns, "Linux / ours", "floor", "goal"]
    lines = [[*head]]
    for row, (what, floor, goal) in names.items():
        middle = {system: statistics.median(got[row]) if row in got else None for system, got in columns.items()}
        ours, linux = middle.get("Backstore"), middle.get("Linux")
        ratio = ours / linux if ours and linux and row in HIGHER_IS_BETTER else linux / ours if ours and linux else None
        in_ticks = mode == "instructions" or row in SWAP_ROWS
        lines.append([what, *map(number, middle.values()), f"{ratio:.1f}" if ratio else "-",
                      number(floor if in_ticks else None), number(goal if in_ticks else None)])
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


def main():
    parser = argparse.ArgumentParser(description="Memory operations here and on Linux, in one table.")
    parser.add_argument("--image", type=Path, required=True, help="the system volume")
    parser.add_argument("--program", type=Path, required=True, help="the benchmark, built for Linux")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--mode", choices=["instructions", "time"], default="instructions")
    parser.add_argument("--rounds", type=int, default=5, help="in time; instructions need one")
    parser.add_argument("--systems", default="all", help="all, or some of them: Backstore")
    parser.add_argument("--only", choices=["memory", "paging"], help="some of the rows; paging: in time")
    arguments = parser.parse_args()
    if arguments.only == "paging" and arguments.mode != "time":
        parser.error("--only paging: wants --mode time; instructions say nothing of a disk")
    linux = arguments.build / "linux"
    setup = Setup(arguments.image, linux, "tcg,thread=single", ICOUNT, arguments.build / "bench-swap.img")
    rounds = 1
    if arguments.mode == "time":
        setup.accel, setup.extra, rounds = "tcg,thread=multi", [], arguments.rounds
    systems = SYSTEMS if arguments.systems == "all" else [s for s in SYSTEMS if s in arguments.systems.split(",")]
    try:
        if systems != ["Backstore"]:
            linux_fetch(linux)
            initramfs_make(linux, arguments.program)
        columns = measure(setup, arguments.mode, rounds, systems, arguments.only)
    except (BenchError, MachineError, subprocess.TimeoutExpired) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    lines = table(columns, arguments.mode)
    print_table(lines)
    write_csv(arguments.build / "bench.csv", columns)
    print("Ticks of the time-stamp counter: " +
          ("instructions of the guest." if arguments.mode == "instructions" else f"time, medians of {rounds} rounds.") +
          f" All figures: {arguments.build / 'bench.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
