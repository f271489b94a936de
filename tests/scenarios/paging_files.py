"""Paging files that can be watched, slowed down and broken from outside, and the program that holds pages in them."""

import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PAGE = 4096
WORDS = PAGE // 8
MASK = (1 << 64) - 1
IO_DEVICE_ERROR, CRC_ERROR = 0xc0000185, 0xc000003f  # what the record of an in-page error says
STEP = 32  # words between those that pattern_fill sets


def pattern_word(owner, page, word):
    """userland/programs/pattern.h."""
    x = ((owner << 48) ^ (page << 9) ^ word ^ 0x9e3779b97f4a7c15) & MASK
    x = ((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9) & MASK
    x = ((x ^ (x >> 27)) * 0x94d049bb133111eb) & MASK
    return x ^ (x >> 31)


def pattern_first(owner, page):
    """The first word of a page, as it is in memory."""
    return pattern_word(owner, page, 0).to_bytes(8, "little")


class SwapFile:
    """A paging file as its bytes, which the test reads and changes while the guest uses it."""

    def __init__(self, path, size):
        self.path = Path(path)
        with open(self.path, "wb") as file:
            file.truncate(size)

    def read(self):
        return self.path.read_bytes()

    def slot(self, number):
        with open(self.path, "rb") as file:
            file.seek(number * PAGE)
            return file.read(PAGE)

    def write(self, number, data):
        with open(self.path, "r+b") as file:
            file.seek(number * PAGE)
            file.write(data)

    def slots(self, child, generation, pages):
        """{page: slot} of the pages of a child of swap_holder's, by what they begin with."""
        firsts = {pattern_first(child * 256 + generation, page): page for page in range(pages)}
        data = self.read()
        found = {}
        for slot in range(len(data) // PAGE):
            page = firsts.get(data[slot * PAGE:slot * PAGE + 8])
            if page is not None:
                found[page] = slot
        return found


class NbdServer:
    """nbdkit on a socket of its own. A context manager: it is gone at the end of the block.

    plugin: its name and parameters; filters: their names, the outermost first; parameters: theirs.
    """

    def __init__(self, *plugin, filters=(), parameters=()):
        self._directory = tempfile.TemporaryDirectory(prefix="backstore-nbd-")  # a socket's path has to be short
        self.directory = Path(self._directory.name)
        self.log = self.directory / "log"
        self.error_file = self.directory / "fail"
        self.swap = f"nbd+unix:///?socket={self.directory}/socket"
        parameters = [word.format(log=self.log, error_file=self.error_file) for word in parameters]
        self.command = ["nbdkit", "-f", "--exit-with-parent", "-U", str(self.directory / "socket"),
                        "-P", str(self.directory / "pid"), *[f"--filter={name}" for name in filters],
                        *map(str, plugin), *parameters]
        self.process = None

    def __enter__(self):
        with open(self.directory / "messages", "wb") as messages:  # a pipe that nobody reads would stop it
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=messages, stderr=messages)
        deadline = time.monotonic() + 30
        while not (self.directory / "pid").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command}: {(self.directory / 'messages').read_text()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.kill()
        self._directory.cleanup()

    def fail(self, on=True):
        """Switches the error filter's failures on or off."""
        if on:
            self.error_file.touch()
        else:
            self.error_file.unlink(missing_ok=True)

    def pause(self, on=True):
        """It answers nothing, or goes on."""
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def requests(self, kind):
        """[(offset, bytes)] of the "Read" or "Write" requests that the log filter saw."""
        return [(int(offset, 16), int(count, 16)) for offset, count in
                re.findall(rf" {kind} id=\d+ offset=(0x[0-9a-f]+) count=(0x[0-9a-f]+)", self.log.read_text())]


def nbdkit_is_missing():
    return shutil.which("nbdkit") is None


class Holder:
    """The guest program swap_holder, in the shell of a machine that is started here."""

    def __init__(self, run, children=2, pages=512, before=()):
        """before: lines for the shell."""
        self.run, self.children, self.pages = run, children, pages
        self.guest = run.start()
        self.wait(r"C:\\> ")
        for line in before:
            self.guest.write(line + "\r")
            self.wait(r"C:\\> ")
        self.guest.write(f"swap_holder {children} {pages}\r")
        self.wait(r"^holding \d+ pages$")

    def wait(self, pattern):
        __tracebackhide__ = True
        return self.run.wait_for(pattern)

    def command(self, text):
        """Types a command; returns what swap_holder says until it is done."""
        __tracebackhide__ = True
        begin = len(self.guest.output)
        self.guest.write(text + "\r")
        self.wait(rf"^done: {re.escape(text)}$")
        return self.guest.output[begin:]

    def out(self, all_of_them=True):
        """The pages leave memory. Returns how many are in paging files alone."""
        match = re.search(r"^out: (\d+) of (\d+) pages", self.command("out"), re.M)
        if all_of_them and match[1] != match[2]:
            self.run.fail("wrong output", f"{match[0]} left memory")
        return int(match[1])

    def check(self, child):
        """(right, unreadable) of a child's pages; none may be wrong. self.status: why those can't be read."""
        __tracebackhide__ = True
        text = self.command(f"check {child}")
        match = re.search(r"^child \d+: right=(\d+) wrong=(\d+) unreadable=(\d+) status=(\w+)$", text, re.M)
        if not match:
            self.run.fail("wrong output", f"child {child} does not answer: {text}")
        if match[2] != "0":
            self.run.fail("wrong output", f"child {child} read {match[2]} pages that are not what it wrote")
        self.status = int(match[4], 16)
        return int(match[1]), int(match[3])

    def all_right(self, child):
        assert self.check(child) == (self.pages, 0)

    def all_lost(self, child, status):
        """For this reason, an NTSTATUS, all of them."""
        assert self.check(child) == (0, self.pages)
        assert self.status == status, f"the exceptions say {self.status:#x}"

    def touch_ends(self, child):
        """A child that reads a lost page without a handler ends with an in-page error."""
        assert re.search(rf"^child {child} ended: exit code 0xc0000006$", self.command(f"touch {child}"), re.M)

    def state(self):
        """({counter: value} for each paging file, the same for memory). Fails if the memory manager's check does."""
        __tracebackhide__ = True
        text = self.command("state")
        if not re.search(r"^check of memory: 0x00000000$", text, re.M):
            self.run.fail("wrong output", f"the memory manager's structures do not agree: {text}")

        def numbers(line):
            return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)\b", line)}
        return ([numbers(line) for line in re.findall(r"^paging file .*$", text, re.M)],
                numbers(re.search(r"^memory: .*$", text, re.M)[0]))

    def state_when(self, holds):
        """The first state for which holds(counters of the first paging file): what is in flight takes a moment to end."""
        __tracebackhide__ = True
        for _ in range(100):
            files, memory = self.state()
            if holds(files[0]):
                return files, memory
            time.sleep(0.1)
        self.run.fail("wrong output", f"the paging file's counters stay at {files[0]}")

    def end(self, *lines, code=0):
        """Ends swap_holder (which says that no page was ever wrong), gives the shell some commands, and ends it too."""
        __tracebackhide__ = True
        self.guest.write("end\r")
        for line in (*lines, "hello afterwards"):
            self.wait(r"C:\\> ")
            self.guest.write(line + "\r")
        self.wait(r"^argument 1: afterwards$")
        self.wait(r"C:\\> ")
        self.guest.write(f"exit {code}\r")
        self.run.finish().judge(code)


