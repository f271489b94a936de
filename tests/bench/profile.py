"""Where a row's instructions go, function by function: "make profile ROW=touch".

QEMU counts the guest's instructions and logs the address of each one of the kernel's while the row runs.
"""

import argparse
import bisect
import collections
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "boot"))

from systems import ICOUNT  # noqa: E402
from machine import Machine, MachineError  # noqa: E402

KERNEL_TEXT = "0xffffffff80000000+0x10000000"
TIMEOUT = 600


class Symbols:
    """The kernel's functions by address."""

    def __init__(self, kernel):
        lines = subprocess.run(["nm", "-n", kernel], capture_output=True, text=True, check=True).stdout.splitlines()
        found = [line.split() for line in lines]
        self._list = [(int(address, 16), name) for address, kind, name in (f for f in found if len(f) == 3)
                      if kind in "tT"]
        self._addresses = [address for address, _ in self._list]

    def name(self, address):
        at = bisect.bisect_right(self._addresses, address) - 1
        return self._list[at][1] if at >= 0 else "?"


def counts(log, symbols):
    """{function: instructions}. With "singlestep on" each translated block is one instruction, and has one line."""
    addresses = collections.Counter()
    with open(log, errors="replace") as file:
        for line in file:
            match = re.search(r"\[[0-9a-f]+/([0-9a-f]+)/", line)
            if match:
                addresses[int(match[1], 16)] += 1
    functions = collections.Counter()
    for address, n in addresses.items():
        functions[symbols.name(address)] += n
    return functions


def main():
    parser = argparse.ArgumentParser(description="Where a benchmark row's instructions go in the kernel.")
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--kernel", type=Path, required=True)
    parser.add_argument("--row", required=True)
    parser.add_argument("--lines", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backstore-") as directory:
        log = Path(directory) / "instructions"
        extra = [*ICOUNT, "-dfilter", KERNEL_TEXT]
        try:
            machine = Machine(str(arguments.image), ram="256M", run=f"bench -w {arguments.row}",
                              accel="tcg,thread=single", extra=extra, qmp=True)
            with machine.start() as guest:
                if not guest.read_until("bench ready", TIMEOUT):
                    raise MachineError(f"ROW={arguments.row}: the benchmark did not start:\n{guest.output[-2000:]}")
                for command in ("stop", "singlestep on", f"logfile {log}", "log exec,nochain", "cont"):
                    guest.qmp("human-monitor-command", **{"command-line": command})
                guest.write("\r")
                result = guest.wait(timeout=TIMEOUT)
        except MachineError as error:
            print(f"profile: {error}", file=sys.stderr)
            return 1
        functions = counts(log, Symbols(arguments.kernel))
    total = sum(functions.values())
    for line in re.findall(r"^bench .* per .*$", result.output, re.M):
        print(line)
    print(f"{total:,} instructions of the kernel, warming up included")
    for name, n in functions.most_common(arguments.lines):
        print(f"{100 * n / total:6.1f} %  {n:12,}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
