"""The shell answers while a program touches all memory that there is, without rest.

What is counted is what repeats: which commands were answered, and how many pages of images had to be read again for
each. How long it took is printed, and judged by nobody: it depends on the machine that this runs on.
"""

import re
import time

import pytest

COMMANDS = {"echo": ("echo word", r"^word$"), "ps": ("ps", r" sh\.exe$"), "hello": ("hello", r"^Hello from process")}
ROUNDS = 4
IMAGE_PAGES_MOST = 300  # of sh, the three DLLs, the program and memstat


class Shell:
    def __init__(self, run):
        self.run = run
        self.guest = run.start()
        self.wait(r"C:\\> ")

    def wait(self, pattern):
        __tracebackhide__ = True
        self.run.wait_for(pattern)

    def type(self, line, answer):
        """Types a line, waits for the answer and the next prompt. Returns the answer's text and the seconds."""
        begin, since = len(self.guest.output), time.monotonic()
        self.guest.write(line + "\r")
        self.wait(answer)
        self.wait(r"C:\\> ")
        return self.guest.output[begin:], time.monotonic() - since

    def counters(self):
        text, _ = self.type("memstat -r", r"^pool_pages=\d+$")
        return {name: int(value) for name, value in re.findall(r"^(\w+)=(\d+)$", text, re.M)}


@pytest.mark.parametrize("swap, cpus", [("none", 1), ("64M", 1), ("64M", 4)])
def test_shell_beside_a_hog(machine, swap, cpus):
    shell = Shell(machine(ram="64M", swap=swap, cpus=cpus))
    shell.guest.write("hog &\r")
    shell.wait(r"hog: \d+ pages are in use$")
    for name, (line, answer) in COMMANDS.items():
        reads, times = [], []
        for _ in range(ROUNDS):
            before = shell.counters()
            times.append(shell.type(line, answer)[1])
            reads.append(shell.counters()["pages_image_read"] - before["pages_image_read"])
        print(f"{name}: image pages read {reads}, seconds {' '.join(f'{t:.2f}' for t in times)}")
        assert max(reads) <= IMAGE_PAGES_MOST
    shell.guest.write("kill %1\rwait\r")
    shell.wait(r"ended: hog")
    shell.guest.write("exit 0\r")
    shell.run.finish().judge(0)
