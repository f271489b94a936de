"""Where a row's instructions go, function by function: "make profile ROW=touch".

QEMU counts the guest's instructions and logs the address of each one while the row runs. Images are where they were linked, so
that the functions of the benchmark and the DLLs are known as well as the kernel's.
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
from disks import MachineError  # noqa: E402
from machine import Machine  # noqa: E402

# Of their functions, the names have the name of the image in front, as "ntdll!memcpy".
IMAGES = ["bin/bench.exe", "dll/ntdll.dll", "dll/kernel32.dll", "dll/msvcrt.dll"]
TIMEOUT = 600


class Symbols:
    """Functions of the kernel and of images by address."""

    def __init__(self, kernel):
        self._list = []
        self._add(["nm", "-n", kernel], "")
        for image in IMAGES:
            self._add(["x86_64-w64-mingw32-nm", "-n", kernel.parent / image], f"{Path(image).stem}!")
        self._list.sort()
        self._addresses = [address for address, _ in self._list]

    def _add(self, command, prefix):
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found = [line.split() for line in lines]
        self._list += [(int(address, 16), prefix + name) for address, kind, name in (f for f in found if len(f) == 3)
                       if kind in "tT" and not name.startswith(".")]

    def find(self, address):
        """(function's name, its address)"""
        at = bisect.bisect_right(self._addresses, address) - 1
        return (self._list[at][1], self._list[at][0]) if at >= 0 else ("?", 0)


def counts(log, symbols):
    """{function: instructions}, {function: calls}. With "singlestep on" each translated block is one instruction, and has one line."""
    addresses = collections.Counter()
    with open(log, errors="replace") as file:
        for line in file:
            match = re.search(r"\[[0-9a-f]+/([0-9a-f]+)/", line)
            if match:
                addresses[int(match[1], 16)] += 1
    functions, calls = collections.Counter(), {}
    for address, n in addresses.items():
        name, start = symbols.find(address)
        functions[name] += n
        if address == start:
            calls[name] = n
    return functions, calls


def main():
    parser = argparse.ArgumentParser(description="Where a benchmark row's instructions go.")
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--kernel", type=Path, required=True)
    parser.add_argument("--row", required=True)
    parser.add_argument("--lines", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backstore-") as directory:
        log = Path(directory) / "instructions"
        try:
            machine = Machine(str(arguments.image), ram="256M", run=f"bench -w {arguments.row}",
                              accel="tcg,thread=single", extra=list(ICOUNT), options="aslr=off", qmp=True)
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
        functions, calls = counts(log, Symbols(arguments.kernel))
    total = sum(functions.values())
    for line in re.findall(r"^bench .* per .*$", result.output, re.M):
        print(line)
    print(f"{total:,} instructions, {sum(n for name, n in functions.items() if '!' not in name):,} of them the kernel's, "
          "warming up included")
    for name, n in functions.most_common(arguments.lines):
        print(f"{100 * n / total:6.1f} %  {n:12,}  {calls.get(name, 0):9,} calls  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
