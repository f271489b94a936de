"""A disk's writes and flushes as QEMU's driver blklogwrites records them, and a FAT32 volume's files as its bytes say.

Sources: block/blklogwrites.c in QEMU and Documentation/admin-guide/device-mapper/log-writes.rst in Linux; FAT32 File
System Specification 1.03.
"""

import mmap
import struct
from dataclasses import dataclass

SECTOR = 512
MAGIC, VERSION = 0x6a736677736872, 1
FLUSH = 1


@dataclass
class Write:
    """One entry. data: what was written from this sector on; None: it is a flush."""

    sector: int
    data: bytes


def log_read(path):
    """The entries of a log up to its last flush."""
    log = path.read_bytes()
    magic, version, count, sector_bytes = struct.unpack_from("<QQQI", log)
    assert (magic, version, sector_bytes) == (MAGIC, VERSION, SECTOR), "not a log of blklogwrites"
    entries, at = [], SECTOR
    for _ in range(count):
        sector, sectors, flags, _ = struct.unpack_from("<QQQQ", log, at)
        assert flags in (0, FLUSH), f"the guest makes no such request: {flags:#x}"
        data = log[at + SECTOR:at + SECTOR * (1 + sectors)]
        assert len(data) == sectors * SECTOR
        entries.append(Write(sector, None if flags & FLUSH else data))
        at += SECTOR * (1 + sectors)
    return entries


class Rebuilt:
    """A disk in a file, to which writes are done again, and perhaps taken back."""

    def __init__(self, path):
        self._file = open(path, "r+b")
        self.bytes = mmap.mmap(self._file.fileno(), 0)
        self._undo = None

    def write(self, sector, data):
        start, end = sector * SECTOR, sector * SECTOR + len(data)
        if self._undo is not None:
            self._undo.append((start, self.bytes[start:end]))
        self.bytes[start:end] = data

    def begin(self):
        """What is written from here on rollback() takes back."""
        self._undo = []

    def rollback(self):
        for start, data in reversed(self._undo):
            self.bytes[start:start + len(data)] = data
        self._undo = None


class FatError(Exception):
    """What a volume's bytes say can't be."""


class FatVolume:
    """The files of a volume in a buffer. Nothing is kept from one call to the next."""

    def __init__(self, data):
        self._data = data
        sector_bytes, self._per, reserved, fats = struct.unpack_from("<HBHB", data, 11)
        fat_sectors, = struct.unpack_from("<I", data, 36)
        self.root, = struct.unpack_from("<I", data, 44)
        self._cluster = self._per * sector_bytes
        self._fat = reserved * sector_bytes
        self._first = (reserved + fats * fat_sectors) * sector_bytes
        self._limit = 2 + (len(data) - self._first) // self._cluster

    def read(self, first, size=None):
        """A chain's bytes; all of them if no size is given."""
        parts, cluster, left = [], first, 1 << 40 if size is None else size
        while left > 0 and cluster < 0x0ffffff8:
            if not 2 <= cluster < self._limit:
                raise FatError(f"the chain from cluster {first} leads to cluster {cluster} and lacks {left} bytes")
            at = self._first + (cluster - 2) * self._cluster
            parts.append(self._data[at:at + min(left, self._cluster)])
            left -= self._cluster
            cluster = struct.unpack_from("<I", self._data, self._fat + cluster * 4)[0] & 0x0fffffff
        if left > 0 and size is not None:
            raise FatError(f"the chain from cluster {first} ends and lacks {left} bytes")
        return b"".join(parts)

    def list(self, first):
        """The entries of the directory that begins at a cluster: (name, whether it is a directory, first cluster, size)."""
        data, long_name = self.read(first), ""
        for at in range(0, len(data), 32):
            raw = data[at:at + 32]
            if raw[0] == 0:
                return
            if raw[0] == 0xe5:
                long_name = ""
            elif raw[11] & 0x3f == 0x0f:
                piece = (raw[1:11] + raw[14:26] + raw[28:32]).decode("utf-16-le")
                long_name = piece + ("" if raw[0] & 0x40 else long_name)
            else:
                high, = struct.unpack_from("<H", raw, 20)
                low, size = struct.unpack_from("<HI", raw, 26)
                if not raw[11] & 8 and raw[0:1] != b".":
                    yield (long_name.partition("\0")[0] or self._short(raw)), bool(raw[11] & 0x10), high << 16 | low, size
                long_name = ""

    @staticmethod
    def _short(raw):
        name, extension = (raw[part].decode("latin-1").rstrip() for part in (slice(0, 8), slice(8, 11)))
        name = name.lower() if raw[12] & 8 else name
        extension = extension.lower() if raw[12] & 16 else extension
        return f"{name}.{extension}" if extension else name

    def walk(self, first, path=""):
        """All that is below a directory: (path, whether it is a directory, first cluster, size)."""
        for name, is_directory, cluster, size in self.list(first):
            yield path + name, is_directory, cluster, size
            if is_directory:
                yield from self.walk(cluster, f"{path}{name}\\")
