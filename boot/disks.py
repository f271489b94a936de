"""Disks of the machine that Backstore runs on, as QEMU wants them, and SWAP's list of paging files."""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SWAP_MIN = 4 << 10  # one page
SWAP_PRIORITY_MAX = 32767
SWAP_ALLOWED = ('"none", or a list, separated by commas, of: a size (64M), "ramdisk:" with a size (ramdisk:32M), the path of '
                'an existing file or block device, nbd://HOST:PORT[/EXPORT], nbd+unix:///EXPORT?socket=PATH; each with a '
                f'priority behind it if wanted, @0 to @{SWAP_PRIORITY_MAX}')


class MachineError(Exception):
    """The machine can't be built as asked; the text says what is allowed."""


def parse_size(text):
    """Bytes of "64M" and the like; None if it is no size."""
    match = re.fullmatch(r"([0-9]+)([KMGT])", str(text))
    return int(match[1]) * UNITS[match[2]] if match else None


def comma_quote(value):
    """As QEMU wants a value inside a list that is separated by commas."""
    return str(value).replace(",", ",,")


@dataclass
class Disk:
    """A virtio disk. file: whatever QEMU takes as a file name; drive, device: more properties, as QEMU writes them.

    The guest is told of its disk's errors. QEMU would stop the machine when the host's disk is full.
    """

    file: str
    serial: str
    format: str = "raw"
    drive: str = "cache=unsafe"
    device: str = ""
    port: bool = False  # it can be taken out while the machine runs: device_del and device_add in QEMU's monitor

    def arguments(self):
        # "file=" has to be left out if the drive's own properties say what it consists of.
        name = f"file={comma_quote(self.file)},format={self.format}" if self.file else ""
        drive = ",".join(filter(None, [f"if=none,id=drive-{self.serial}", name, self.drive]))
        device = ",".join(filter(None, [f"virtio-blk-pci,id={self.serial},drive=drive-{self.serial}",
                                        f"serial={self.serial},disable-legacy=on,werror=report,rerror=report",
                                        f"bus=port-{self.serial}" if self.port else "",
                                        self.device]))
        port = ["-device", f"pcie-root-port,id=port-{self.serial},chassis=2,slot=2"] if self.port else []
        return ["-drive", drive, *port, "-device", device]


def logged_disk(path, log, serial, **options):
    """A disk with raw contents whose writes and flushes QEMU also writes to the file log, in the order in which they end.

    The log's format: Documentation/admin-guide/device-mapper/log-writes.rst in Linux; tests/scenarios/disk_log.py reads it.
    Neither file is on the host's disk itself when the guest flushes; nobody turns the host's power off.
    """
    Path(log).write_bytes(b"")
    names = ",".join(f"{child}.driver=file,{child}.filename={comma_quote(name)},{child}.cache.no-flush=on"
                     for child, name in (("file", path), ("log", log)))
    return Disk("", serial, drive=f"driver=blklogwrites,cache=writeback,{names}", **options)


@dataclass
class PagingFile:
    """One entry of SWAP: its text without the priority, and the priority or None."""

    text: str
    priority: int = None

    @property
    def is_ramdisk(self):
        return self.text.startswith("ramdisk:")

    @property
    def is_nbd(self):
        return self.text.startswith(("nbd://", "nbd+unix://"))

    @property
    def size(self):
        """Bytes of a new file; None: it is not one."""
        return parse_size(self.text)

    def check(self):
        if self.is_ramdisk:
            if not parse_size(self.text[8:]):
                raise MachineError(f"SWAP={self.text}: a size is needed, e.g. SWAP=ramdisk:32M")
        elif self.size is not None:
            if self.size < SWAP_MIN:
                raise MachineError(f"SWAP={self.text}: at least 4K is needed; SWAP=none is no paging file")
        elif self.is_nbd:
            if not re.fullmatch(r"nbd://[^/@]+(/.*)?|nbd\+unix:///[^?]*\?socket=.+", self.text):
                raise MachineError(f"SWAP={self.text}: an NBD server is nbd://HOST:PORT[/EXPORT] or "
                                   "nbd+unix:///EXPORT?socket=PATH")
        elif not os.path.exists(self.text):
            raise MachineError(f"SWAP={self.text}: there is no such file, and allowed are: {SWAP_ALLOWED}")
        else:
            mode = os.stat(self.text).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
                raise MachineError(f"SWAP={self.text} is neither a file nor a block device")
            if not os.access(self.text, os.R_OK | os.W_OK):
                raise MachineError(f"SWAP={self.text} may not be read and written by you")


def parse_swap(text):
    """SWAP's list of PagingFile; empty for "none". A comma in a path is written twice."""
    files = []
    for entry in re.split(r"(?<!,),(?!,)", str(text)):
        match = re.fullmatch(r"(.*?)(?:@([0-9]+))?", entry.replace(",,", ","), re.S)
        if not match[1]:
            raise MachineError(f"SWAP={text}: an entry is empty; allowed are: {SWAP_ALLOWED}")
        priority = None if match[2] is None else int(match[2])
        if priority is not None and priority > SWAP_PRIORITY_MAX:
            raise MachineError(f"SWAP={text}: @{priority}: 0 to {SWAP_PRIORITY_MAX} is allowed; higher ones are used first")
        files.append(PagingFile(match[1], priority))
    if [file.text for file in files] == ["none"]:
        if files[0].priority is not None:
            raise MachineError(f"SWAP={text}: no paging file has no priority")
        return []
    if any(file.text == "none" for file in files):
        raise MachineError(f'SWAP={text}: "none" stands alone')
    for file in files:
        file.check()
    return files


def swap_option(files):
    """(the boot option swap for a list of PagingFile, the disks' serials in the list's order, None for RAM disks)."""
    serials, words = [], []
    for file in files:
        number = sum(serial is not None for serial in serials)
        serials.append(None if file.is_ramdisk else f"swap{number or ''}")
        words.append((serials[-1] or file.text) + ("" if file.priority is None else f"@{file.priority}"))
    # The kernel finds a disk with the serial "swap" by itself.
    return ("" if words in ([], ["swap"]) else f"swap={','.join(words)}"), serials
