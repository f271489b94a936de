"""The machine that Backstore runs on: QEMU's command line, and what QEMU's end means.

make calls this file as a program; tests import it:

    guest = Machine("build/release/system.img", ram="64M", swap="none", run="hello").start()
    result = guest.wait(timeout=60)        # result.code, result.reason, result.output
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from disks import Disk, MachineError, comma_quote, logged_disk, parse_size, parse_swap, swap_option

HERE = Path(__file__).resolve().parent
RAM_MIN, RAM_MAX = 32 << 20, 16 << 30
FIRMWARE_RAM = 48 << 20  # OVMF does not find a boot volume with less
CPUS_MAX = 8
OPTIONS_ITEM = "opt/org.backstore/options"
CONSOLE_ITEM = "opt/org.backstore/console"


def exit_codes():
    """The codes of boot/bootinfo.h: {number: what it means}."""
    text = (HERE / "bootinfo.h").read_text()
    return {int(number): comment for number, comment in
            re.findall(r"#define EXIT_\w+ (1\d\d) +/\* (.*?) \*/", text)}


def firmware_arguments(path=None):
    """QEMU's arguments for OVMF: the file given, or the first that exists in firmware.list."""
    if path:
        candidates = [[path]]
    else:
        lines = (HERE / "firmware.list").read_text().splitlines()
        candidates = [line.split() for line in lines if line.startswith("/")]
    for files in candidates:
        if not all(os.path.exists(name) for name in files):
            continue
        if len(files) == 1:
            return ["-bios", files[0]]
        code, variables = map(comma_quote, files)
        return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
                "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={variables}"]
    raise MachineError(f"FIRMWARE: {path or 'no UEFI firmware (OVMF)'} was not found")


def is_volume(path):
    """Whether the file begins as a FAT32 volume does. Source: FAT32 File System Specification 1.03, boot sector."""
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        sector = file.read(512)
    return sector[510:] == b"\x55\xaa" and sector[82:90] == b"FAT32   "


def option_quote(value):
    """A boot option's value, in double quotes if it has blanks."""
    if '"' in value:
        raise MachineError(f"RUN={value}: double quotes are not allowed in it")
    return f'"{value}"' if re.search(r"[\s#]", value) or not value else value


@dataclass
class Machine:
    """All that can be chosen. command() gives QEMU's arguments, start() starts it."""

    volume: str
    ram: str = "128M"
    cpus: int = 1
    swap: str = "none"  # see SWAP_ALLOWED; a SIZE is a new file at swap_image (the second one beside it)
    options: str = ""
    run: str = None  # the first program and its arguments
    console: bytes = None  # the console's input, with end-of-file behind it
    accel: str = "tcg"
    cpu: str = "qemu64"
    vga: str = "none"
    keep: bool = False  # True: the guest's writes to the volume's file stay, and are on the host's disk when it flushes
    write_log: str = None  # the path of a log of the guest's writes to the system volume, which stay: logged_disk()
    disk2: str = None  # the path of a second volume, D:, which the guest's writes go to
    disks: list = field(default_factory=list)  # of Disk, besides the system volume and swap
    extra: list = field(default_factory=list)  # more arguments for QEMU
    qmp: bool = False  # a monitor for Guest.qmp()
    gdb: str = None  # path of a socket: stopped at the start, for a debugger
    swap_image: str = None
    qemu: str = "qemu-system-x86_64"
    firmware: str = None

    def _ram(self):
        ram = parse_size(self.ram)
        if ram is None or not RAM_MIN <= ram <= RAM_MAX or ram % (1 << 20):
            raise MachineError(f"RAM={self.ram}: 32M to 16G in whole MiB is allowed, e.g. RAM=128M or RAM=2G")
        return ram

    def _accel(self):
        kind = self.accel.split(",")[0]
        if kind not in ("tcg", "kvm"):
            raise MachineError(f'ACCEL={self.accel}: "tcg" and "kvm" are allowed')
        if kind == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
            raise MachineError("ACCEL=kvm: /dev/kvm is missing or may not be used by you; ACCEL=tcg works everywhere")
        return "tcg,thread=multi" if self.accel == "tcg" else self.accel

    def _check(self):
        if not re.fullmatch(f"[1-{CPUS_MAX}]", str(self.cpus)):
            raise MachineError(f"CPUS={self.cpus}: 1 to {CPUS_MAX} is allowed")
        if self.vga not in ("none", "std"):
            raise MachineError(f'VGA={self.vga}: "none" and "std" are allowed')
        if not self.cpu:
            raise MachineError("CPU: a model of QEMU's is needed, e.g. qemu64, qemu64,+smep,+smap or max")
        if shutil.which(self.qemu) is None:
            raise MachineError(f"QEMU={self.qemu} was not found")
        if self.disk2 and not os.path.exists(self.disk2):
            raise MachineError(f'DISK2={self.disk2} was not found: "mkfs.fat -F 32 -C {self.disk2} 65536" makes one of 64 MiB')
        if self.disk2 and not os.path.isfile(self.disk2):
            raise MachineError(f"DISK2={self.disk2} is not a file")
        if not os.path.exists(self.volume):
            raise MachineError(f'the system volume {self.volume} was not found: "make image" builds it')
        if not is_volume(self.volume):
            raise MachineError(f"{self.volume} is no FAT32 volume to boot from: DISK=PATH with a PATH that does not exist makes one")

    def _swap(self):
        """(disks, the boot option or ""). Creates the files of new paging files."""
        files = parse_swap(self.swap)
        option, serials = swap_option(files)
        disks = []
        for file, serial in zip(files, serials):
            if not serial:
                continue
            path = file.text
            if file.size is not None:
                if not self.swap_image:
                    raise MachineError(f"SWAP={self.swap}: no swap_image says where the file is to be")
                image = Path(self.swap_image)
                path = image.with_name(f"{image.stem}{serial[4:]}{image.suffix}")
                path.unlink(missing_ok=True)  # another machine may still use the old one
                with open(path, "xb") as new:
                    new.truncate(file.size)
            disks.append(Disk(str(path), serial))
        return disks, option

    def command(self, directory, serial="stdio"):
        """QEMU's arguments. directory: for the files that it reads and the log that Guest reads."""
        self._check()
        ram = self._ram()
        options = []
        if ram < FIRMWARE_RAM:
            options.append(f"mem={self.ram}")
        swap, option = self._swap()
        options += [option, self.options]
        if self.run is not None:
            options.append(f"run={option_quote(self.run)}")
        options = " ".join(filter(None, options))

        arguments = [
            self.qemu, "-nodefaults", "-no-reboot",
            # Devices that only cost the firmware time are left out.
            "-machine", "q35,sata=off,usb=off,smbus=off,i8042=off", "-nic", "none", "-boot", "menu=off",
            "-accel", self._accel(), "-cpu", self.cpu, "-smp", str(self.cpus), "-m", f"{max(ram, FIRMWARE_RAM) >> 20}M",
            *firmware_arguments(self.firmware),
            "-serial", serial, "-vga", self.vga,
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-d", "cpu_reset", "-D", f"{directory}/qemu.log",
        ]
        if self.vga == "none" or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            arguments += ["-display", "none"]
        if self.write_log:
            volume = logged_disk(self.volume, self.write_log, "system", device="bootindex=0")
        else:
            volume = Disk(str(self.volume), "system", drive="cache=writeback" if self.keep else "cache=unsafe,snapshot=on",
                          device="bootindex=0")
        second = [Disk(str(self.disk2), "disk2", drive="cache=writeback", port=True)] if self.disk2 else []
        for disk in [volume, *second, *swap, *self.disks]:
            arguments += disk.arguments()
        if options:
            arguments += ["-fw_cfg", f"name={OPTIONS_ITEM},string={comma_quote(options)}"]
        if self.console is not None:
            path = Path(directory) / "console"
            path.write_bytes(self.console)
            arguments += ["-fw_cfg", f"name={CONSOLE_ITEM},file={comma_quote(path)}"]
        if self.qmp:
            arguments += ["-qmp", f"unix:{comma_quote(directory)}/qmp,server=on,wait=off"]
        if any(disk.port for disk in [*second, *self.disks]):
            arguments += ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]  # the ports tell, not ACPI
        if self.gdb:
            arguments += ["-S", "-chardev", f"socket,id=gdb,path={comma_quote(self.gdb)},server=on,wait=off",
                          "-gdb", "chardev:gdb"]
        return arguments + list(self.extra)

    def start(self, stdin=subprocess.PIPE, serial="stdio", echo=None, raw=False, session=False):
        """Starts QEMU and returns a Guest.

        stdin: the console's input, as subprocess takes it. echo: a function that gets the console's output (bytes) as
        it comes. raw: carriage returns stay in it. session: away from the terminal's Ctrl-C.
        """
        directory = tempfile.TemporaryDirectory(prefix="backstore-")
        try:
            command = self.command(directory.name, serial)
            process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       start_new_session=session)
        except BaseException:
            directory.cleanup()
            raise
        return Guest(process, directory, command, echo, raw)


@dataclass
class Result:
    """How a machine ended.

    code: the guest's own exit code, or None if it did not end by itself. Up to 99 it is its program's.
    reason: None if a program ended with code; otherwise what happened, in words.
    status: QEMU's exit status. output: all that the console said, without the firmware's part and carriage returns.
    """

    code: int
    reason: str
    status: int
    output: str
    errors: str  # what QEMU itself said


class ConsoleFilter:
    """Drops what the firmware says before it starts the loader, unless it does not start it; and carriage returns."""

    STARTED = re.compile(rb"BdsDxe: starting [^\n]*\n")
    TROUBLE = re.compile(rb"BdsDxe: (failed|No boot)|!!!! ")

    def __init__(self, raw):
        self.raw = raw  # carriage returns stay
        self.started = False  # the loader, by the firmware
        self._head = b""  # what the firmware has said; None: output is passed on

    def feed(self, data, end=False):
        if self._head is not None:
            self._head += data
            match = self.STARTED.search(self._head)
            if match:
                self.started = True
                data = self._head[match.end():]
            elif end or self.TROUBLE.search(self._head):
                data = self._head
            else:
                return b""
            self._head = None
        return data if self.raw else data.replace(b"\r", b"")


class Guest:
    """A machine that runs. A context manager: the machine is gone at the end of the block."""

    def __init__(self, process, directory, command, echo, raw):
        self.process = process
        self.command = command
        self._directory = directory
        self._echo = echo
        self._filter = ConsoleFilter(raw)
        self._said = bytearray()  # by the console, all of it
        self._taken = 0  # up to here read_until() has matched
        self._errors = b""
        self._ended = False
        self._changed = threading.Condition()
        self._monitor = None
        self._result = None
        self._readers = [threading.Thread(target=reader, daemon=True)
                         for reader in (self._read_console, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def _read_console(self):
        stream = self.process.stdout.fileno()
        while not self._ended:
            data = os.read(stream, 65536)
            text = self._filter.feed(data, end=not data)
            if text and self._echo:
                self._echo(text)
            with self._changed:
                self._said += text
                self._ended = not data
                self._changed.notify_all()

    def _read_errors(self):
        self._errors = self.process.stderr.read()

    @property
    def output(self):
        """All that the console has said up to now."""
        with self._changed:
            return self._said.decode(errors="replace")

    def read_until(self, pattern, timeout):
        """Waits until what the console says matches pattern (a regular expression); returns the match, or None if the
        time (seconds) or the output ends first. The next call looks behind this match."""
        pattern = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.M)
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                match = pattern.search(bytes(self._said), self._taken)
                if match:
                    self._taken = match.end()
                    return match
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    return None
                self._changed.wait(left)

    def write(self, text):
        """Types text on the console. Enter is "\\r"."""
        self.process.stdin.write(text.encode() if isinstance(text, str) else text)
        self.process.stdin.flush()

    def qmp(self, command, **arguments):
        """Runs a command of QEMU's monitor (Machine(qmp=True)); returns its answer."""
        if self._monitor is None:
            connection = socket.socket(socket.AF_UNIX)
            deadline = time.monotonic() + 10
            while True:
                try:
                    connection.connect(f"{self._directory.name}/qmp")
                    break
                except OSError:
                    if time.monotonic() > deadline or self.process.poll() is not None:
                        raise
                    time.sleep(0.05)
            self._monitor = connection.makefile("rw")
            self._monitor.readline()
            self.qmp("qmp_capabilities")
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        json.dump({"execute": command, "arguments": arguments}, self._monitor)
        self._monitor.flush()
        while True:
            answer = json.loads(self._monitor.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def kill(self):
        """Ends the machine at once if it still runs, and gives back what it held."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def wait(self, timeout=None):
        """Waits for the end, at most timeout seconds (then kills the machine). Returns the Result."""
        if self._result:
            return self._result
        late = False
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            late = True
            self.process.kill()
        except BaseException:
            self.process.kill()
            raise
        for reader in self._readers:
            reader.join()
        status = self.process.wait()
        code, reason = self._judge(status)
        if late:
            code, reason = None, f"no end within {timeout:g} seconds"
        self._result = Result(code, reason, status, self.output, self._errors.decode(errors="replace"))
        if self.process.stdin:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        if self._monitor:
            try:
                self._monitor.close()
            except OSError:
                pass  # a question that it did not live to hear
        self._directory.cleanup()
        return self._result

    def _judge(self, status):
        """(the guest's exit code, what happened). QEMU's own failure is status 1, and so is the guest's code 0."""
        if status < 0:
            return None, f"QEMU was killed by signal {-status} ({signal.Signals(-status).name})"
        if status == 0:
            if self._triple_fault():
                return None, "triple fault: the kernel could not handle a fault, and the processor was reset"
            return None, "the machine was switched off or reset without an exit code"
        if status % 2 == 0 or (status == 1 and not self._filter.started):
            servers = [word for word in self.command if "file=nbd" in word]
            advice = ("; an NBD server of SWAP has to run before the machine starts, e.g.: nbdkit memory 64M (README.md, "
                      '"Paging files")' if servers and "nbd" in self._errors.decode(errors="replace").lower() else "")
            return None, f"QEMU failed with status {status}{advice}"
        code = (status - 1) // 2
        if code < 100:
            return code, None
        return code, exit_codes().get(code, "an unknown exit code")

    def _triple_fault(self):
        try:
            return b"Triple fault" in Path(self._directory.name, "qemu.log").read_bytes()
        except FileNotFoundError:
            return False


def echo_output(data):
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # as of `make run RUN=... | head`: the machine goes on
        pass


def ignore_interrupts():
    """Ctrl-C is for the guest or the debugger. Not SIG_IGN: that would be inherited."""
    signal.signal(signal.SIGINT, lambda *_: None)


def run_on_terminal(machine):
    print("Ctrl-A x leaves QEMU; Ctrl-A h shows what else it can do. Booting takes a few seconds.", flush=True)
    ignore_interrupts()
    with machine.start(stdin=None, serial="mon:stdio", echo=echo_output, raw=True) as guest:
        result = guest.wait()
    left = result.status == 0 and result.output.rstrip().endswith("QEMU: Terminated")
    return Result(0, None, 0, result.output, "") if left else result


def run_on_pipe(machine):
    """A program of its own has no input; else all that comes through the pipe is the shell's."""
    machine.console = b"" if machine.run is not None else sys.stdin.buffer.read()
    with machine.start(stdin=subprocess.DEVNULL, echo=echo_output) as guest:
        return guest.wait()


def run_debugger(machine, kernel):
    """Returns when the debugger ends. The guest's console is a file meanwhile."""
    log = Path(kernel).with_name("console.log")
    ignore_interrupts()
    with tempfile.TemporaryDirectory(prefix="backstore-gdb-") as directory:
        machine.gdb = f"{directory}/gdb"
        with machine.start(stdin=subprocess.DEVNULL, serial=f"file:{log}", session=True) as guest:
            while not os.path.exists(machine.gdb) and guest.process.poll() is None:
                time.sleep(0.05)
            if guest.process.poll() is not None:
                return guest.wait()
            print(f"The console is {log}. The commands besides gdb's: help user-defined", flush=True)
            subprocess.run(["gdb", "-q", kernel, "-x", str(HERE / "backstore_gdb.py"),
                            "-ex", f"target remote {machine.gdb}", "-ex", "backstore-start"], check=False)
    return Result(0, None, 0, "", "")


def main():
    parser = argparse.ArgumentParser(description="Runs Backstore in QEMU. make calls this with its variables.")
    parser.add_argument("--gdb", metavar="KERNEL.ELF", help="run under the debugger")
    parser.add_argument("--keep", action="store_true", help="changes of the volume stay")
    for name in ("volume", "ram", "cpus", "swap", "swap-image", "options", "run", "accel", "cpu", "vga", "qemu",
                 "firmware", "disk2"):
        parser.add_argument(f"--{name}", default=argparse.SUPPRESS)
    arguments = vars(parser.parse_args())
    kernel = arguments.pop("gdb")
    try:
        machine = Machine(**arguments)
        if kernel:
            result = run_debugger(machine, kernel)
        elif sys.stdin.isatty():
            result = run_on_terminal(machine)
        else:
            result = run_on_pipe(machine)
    except MachineError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    sys.stderr.write(result.errors)
    if result.reason:
        code = "" if result.code is None else f" (code {result.code})"
        print(f"backstore: {result.reason}{code}", file=sys.stderr)
    return 1 if result.code is None else result.code


if __name__ == "__main__":
    sys.exit(main())
