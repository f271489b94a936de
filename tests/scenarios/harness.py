"""Boots machines, watches them, and says what went wrong in a way that one can act on.

A failure has a kind: panic (with the kernel's own stack), triple fault, hang (idle or busy, with where each CPU is), an
exit code other than expected, or wrong output. A hang is not a matter of minutes: a machine that says nothing is idle
if all of its CPUs are halted whenever one looks and no request to a disk is answered meanwhile (on a slow disk, and a
slow host, a program may wait for hundreds of them before its next line), and busy without progress if it has used more
processor time than any test needs between two lines (tests print a sign of life each second).
"""

import os
import re
import shlex
import subprocess
import time
from pathlib import Path

from machine import Machine

ROOT = Path(__file__).resolve().parents[2]
EXIT_PANIC = 126
IDLE_SECONDS = 15  # of silence, then the CPUs are looked at
IDLE_LOOKS = 20
IDLE_LOOKS_BUSY = 14  # so many of the looks may find a CPU at work: timer ticks, and threads that look around in vain
TALK_SECONDS = 600  # of a machine that goes on saying something, but not what is waited for
BUSY_SECONDS = 60  # processor seconds of all CPUs together without a line
TAIL_LINES = 60


class MachineFailure(AssertionError):
    """A machine ended otherwise than it should have."""


def symbol_at(kernel, address):
    """The function of the kernel at an address, as text."""
    try:
        text = subprocess.run(["addr2line", "-f", "-s", "-e", str(kernel), hex(address)], capture_output=True,
                              text=True, check=False).stdout.split("\n")
        return f"{text[0]} ({text[1]})"
    except (OSError, IndexError):
        return "?"


class Watch:
    """What a machine has done since its last line."""

    def __init__(self, run):
        self.run = run
        self.said = None

    def hang(self):
        """None as long as it may go on, or has ended; else what kind of hang it is in. To be asked again and again."""
        guest = self.run.guest
        length, now, seconds = len(guest.output), time.monotonic(), self._processor_seconds()
        if seconds is None or guest.process.poll() is not None:
            return None
        if length != self.said:
            self.said, self.since, self.used, self.look_at = length, now, seconds, IDLE_SECONDS
            return None
        silence, work = now - self.since, seconds - self.used
        if silence > self.look_at:
            self.look_at += IDLE_SECONDS
            if self._is_idle():
                return f"idle: {silence:.0f} s without a line, no CPU at work, no disk either\n{self.run.where()}"
        if work > BUSY_SECONDS:
            return f"busy: {work:.0f} s of processor time without a line\n{self.run.where()}"
        return None

    def _processor_seconds(self):
        """What QEMU has used until now; None if it has ended."""
        try:
            fields = Path(f"/proc/{self.run.guest.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _requests_answered(self):
        return sum(disk["stats"][f"{kind}_operations"] for disk in self.run.guest.qmp("query-blockstats")
                   for kind in ("rd", "wr", "flush"))

    def _is_idle(self):
        busy = 0
        try:
            before = self._requests_answered()
            for _ in range(IDLE_LOOKS):
                busy += not all("HLT=1" in registers for registers in self.run.registers())
                time.sleep(0.1)
            return busy <= IDLE_LOOKS_BUSY and self._requests_answered() == before
        except (OSError, RuntimeError, ValueError):
            return False  # it has just ended


class Run:
    """A machine from start to end. Used by the fixture boot; see conftest.py."""

    def __init__(self, build, directory, **options):
        self.build = build
        self.expected_end = "an exit code"
        self.options = options
        self.machine = Machine(str(options.pop("volume")), qmp=True, swap_image=str(directory / "swap.img"), **options)
        self.guest = None
        self.result = None

    def reproduce(self):
        """A command that does about the same."""
        names = {"ram": "RAM", "cpus": "CPUS", "swap": "SWAP", "options": "OPTIONS", "cpu": "CPU", "run": "RUN"}
        words = [f"BUILD={self.build.name}"]
        words += [f"{names[name]}={shlex.quote(str(value))}" for name, value in self.options.items() if name in names]
        command = "make run " + " ".join(words)
        console = self.options.get("console")
        return f"printf {shlex.quote(console.decode())} | {command}" if console else command

    def start(self, **arguments):
        self.guest = self.machine.start(**arguments)
        return self.guest

    def finish(self):
        """Waits for the end, or for a hang. Returns self, with result set."""
        watch, hang = Watch(self), None
        while not hang and self.guest.process.poll() is None:
            time.sleep(0.1)
            hang = watch.hang()
        self._end(hang, "")
        return self

    def wait_for(self, pattern):
        """The match of what the console says next; fails when the machine ends or hangs without saying it."""
        __tracebackhide__ = True
        watch, hang, match, end = Watch(self), None, None, time.monotonic() + TALK_SECONDS
        while not match and not hang and self.guest.process.poll() is None:
            match = self.guest.read_until(pattern, 0.2)
            hang = watch.hang() or (f"it talks, for {TALK_SECONDS} s\n{self.where()}" if time.monotonic() > end else None)
        match = match or self.guest.read_until(pattern, 0.2)  # of its last words
        if not match:
            self._end(hang, f"nothing matches {pattern!r}; ")
            self.fail("wrong output", f"the machine ended ({self.result.reason or self.result.code}); nothing matches {pattern!r}")
        return match

    def _end(self, hang, what):
        __tracebackhide__ = True
        if hang:
            self.guest.process.kill()
        self.result = self.guest.wait()
        if hang:
            self.fail("hang", what + hang)

    def registers(self):
        """Each CPU's registers, as QEMU's monitor prints them."""
        return [self.guest.qmp("human-monitor-command", command_line="info registers", cpu_index=number)
                for number in range(int(self.machine.cpus))]

    def where(self):
        """Where each CPU is, by QEMU's monitor."""
        kernel = self.build.directory / "kernel.elf"
        lines = []
        try:
            all_registers = self.registers()
        except (OSError, RuntimeError, ValueError) as error:
            return f"(QEMU's monitor does not answer: {error})"
        for number, registers in enumerate(all_registers):
            match = re.search(r"RIP=([0-9a-f]+).*?CPL=(\d)", registers, re.S)
            halted = "HLT=1" in registers
            if match:
                address = int(match[1], 16)
                place = symbol_at(kernel, address) if match[2] == "0" else "user mode"
                lines.append(f"CPU {number}: {address:#x} {place}{', halted' if halted else ''}")
        return "\n".join(lines)

    def output(self):
        return self.result.output if self.result else self.guest.output

    def fail(self, kind, what):
        __tracebackhide__ = True
        tail = "\n".join(self.output().splitlines()[-TAIL_LINES:])
        raise MachineFailure(f"{kind}: {what}\n--- again: {self.reproduce()}\n--- its last lines:\n{tail}")

    def judge(self, code=0):
        """Fails unless the machine ended with this code."""
        __tracebackhide__ = True
        result = self.result
        if result.code == code:
            return self
        if result.reason and "triple fault" in result.reason:
            self.fail("triple fault", result.reason)
        if result.code == EXIT_PANIC:
            self.fail("panic", panic_text(result.output))
        if result.code is None:
            self.fail("no exit code", f"{result.reason} {result.errors}")
        reason = f" ({result.reason})" if result.reason else ""
        self.fail("wrong exit code", f"{result.code}{reason}, expected {code}")

    def expect(self, pattern):
        """Fails unless the output matches a regular expression; returns the match."""
        __tracebackhide__ = True
        match = re.search(pattern, self.output(), re.M)
        if not match:
            self.fail("wrong output", f"nothing matches {pattern!r}")
        return match


def panic_text(output):
    """From the panic's first line on."""
    match = re.search(r"^.*(panic|PANIC).*$", output, re.M)
    return output[match.start():] if match else "without a message"


def tap_failures(text):
    """What is wrong with the output of a program that writes TAP: a list of lines, empty if nothing is."""
    wrong = re.findall(r"^not ok .*$", text, re.M)
    numbers = [int(number) for number in re.findall(r"^(?:not )?ok (\d+)", text, re.M)]
    plan = re.search(r"^1\.\.(\d+)$", text, re.M)
    if not plan:
        wrong.append(f"no plan: the program ended after test {numbers[-1] if numbers else 0}")
    elif numbers != list(range(1, int(plan[1]) + 1)):
        wrong.append(f"{len(numbers)} tests were run, {plan[1]} were planned")
    return wrong


class TestRun:
    """The output of tests/guest/testrun.c, in parts."""

    __test__ = False  # not a class of tests

    def __init__(self, run):
        self.run = run

    def part(self, command):
        """(output, exit code or None) of a test. None: the machine ended before."""
        output = self.run.output()
        begin = re.search(rf"^# testrun: begin {re.escape(command)}$", output, re.M)
        if not begin:
            return None
        output = output[begin.end():]
        end = re.search(rf"^# testrun: end {re.escape(command)}: exit code 0x([0-9A-F]+) after", output, re.M)
        return (output[:end.start()], int(end[1], 16)) if end else (output, None)

    def judge(self, command):
        """Fails unless this test was run and held."""
        __tracebackhide__ = True
        part = self.part(command)
        if part is None:
            raise MachineFailure(f"not run: the machine ended before\n{self._end()}")
        text, code = part
        if code is None:
            raise MachineFailure(f"the machine ended in this test\n{self._end()}\n--- what it said:\n{text}")
        wrong = tap_failures(text)
        if wrong or code:
            lines = "\n".join(wrong)
            notes = "\n".join(re.findall(r"^# .*$", text, re.M)[-20:])
            raise MachineFailure(f"wrong output: exit code {code:#x}\n{lines}\n--- notes:\n{notes}\n"
                                 f"--- again: make run with RUN='testrun \"{command}\"', see {self.run.reproduce()}")

    def _end(self):
        try:
            self.run.judge(0)
        except MachineFailure as failure:
            return str(failure)
        return "its exit code was 0"
