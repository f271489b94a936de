"""The power goes while files change: QEMU records what goes to the disk, which is rebuilt as it may be at that moment.

At each flush, and at random points between two with any of the sectors lost that were written since the last one, fsck.fat
may find nothing but clusters that nobody has, and what was flushed has to be there. tests/guest/power_cut.c makes the
changes and says which. POWER_CUT_SEED=N replays a seed.
"""

import os
import random
import re
import struct
import subprocess
from array import array
from collections import defaultdict

import pytest

from disk_log import FatError, FatVolume, Rebuilt, log_read
from disks import logged_disk
from test_files import FSCK, HARMLESS
from test_volumes import MKFS, volume_make

pytestmark = pytest.mark.skipif(FSCK is None or MKFS is None, reason="dosfstools are not installed")

OPERATIONS = 350  # of each of the two worlds
POINTS = 200  # between flushes
UNIT = 8
MARK = b"POWERCUT"
MARK_BEGIN, _, MARK_VIEW_FLUSHED, MARK_VIEW_WRITTEN = range(4)  # kinds; the last: by FlushViewOfFile alone


class File:
    """A file, or a directory, as the operations made it. versions: who wrote each 8 bytes, an operation, or 0: none."""

    def __init__(self, number, is_directory):
        self.number = number
        self.is_directory = is_directory
        self.versions = array("H")
        self.holes = bytearray()  # for each 8 bytes: once they were zeros
        self.flushed = None  # the versions when it was flushed last
        self.cut = False  # since then
        self._content = None

    def resize(self, size):
        count = size // UNIT
        del self.versions[count:]
        grown = count - len(self.versions)
        self.holes.extend(bytes(max(0, count - len(self.holes))))
        if grown > 0:
            self.holes[len(self.versions):count] = b"\1" * grown
            self.versions.extend([0] * grown)
        self.cut = True
        self._content = None

    def write(self, operation, offset, count):
        first, end = offset // UNIT, (offset + count) // UNIT
        if first > len(self.versions):
            cut = self.cut
            self.resize(offset)
            self.cut = cut
        self.versions[first:end] = array("H", [operation]) * (end - first)
        self.holes.extend(bytes(max(0, end - len(self.holes))))
        self._content = None

    def content(self):
        if self._content is None:
            above = self.number << 32
            self._content = array("Q", [version and (k | above | version << 48)
                                        for k, version in enumerate(self.versions)]).tobytes()
        return self._content

    def flush(self):
        self.flushed = self.versions[:]
        self.cut = False

    @property
    def is_flushed(self):
        return self.flushed == self.versions and not self.cut


class Window:
    """What may be on the disk between one mark and the next: all is done that came before, and any of what came then."""

    def __init__(self, world, done, operations):
        """operations: up to the next mark; done: how many came before. The world and its files are as after them then."""
        names = world.names
        self.exact = {file.number: file.content() for file in names.values() if not file.is_directory and file.is_flushed}
        self.needed = {file.number for file in names.values()}
        self._places = defaultdict(set)  # of a number: the number of the directory that it is in, and its name there
        self.contents = defaultdict(set)  # of a number
        self.limit = done  # the last operation
        self.note(world)
        for operation in operations:
            self._do(world, *operation)
        self.paths = {number: set(self._expand(number, ())) for number in list(self._places)}
        self.allowed = defaultdict(set)  # numbers at a path
        for number, paths in self.paths.items():
            for path in paths:
                self.allowed[path].add(number)
        self.floors = {number: None if file.cut else file.flushed for number, file in world.files.items()}
        self.holes = {number: bytes(file.holes) for number, file in world.files.items()}
        self.kinds = {number: file.is_directory for number, file in world.files.items()}

    def _expand(self, number, below):
        """The paths that it may have: what happened to a directory and to what is in it has no order yet."""
        for parent, name in self._places[number]:
            if not parent:
                yield name
            elif parent not in below:
                yield from (f"{path}\\{name}" for path in self._expand(parent, (*below, number)))

    def note(self, world):
        for path, file in world.names.items():
            directory, _, name = path.rpartition("\\")
            self._places[file.number].add((world.names[directory].number if directory else 0, name))
            if not file.is_directory:
                self.contents[file.number].add(file.content())

    def _do(self, world, number, kind, *words):
        self.limit = number
        if kind in ("write", "size"):
            self.exact.pop(int(words[0]), None)
        for path in words[:1] if kind in ("delete", "rmdir") else words[1:2] if kind == "rename" else []:
            if path in world.names:  # it goes
                gone = world.names[path].number
                self.exact.pop(gone, None)
                self.needed.discard(gone)
        world.do(number, kind, *words)
        self.note(world)


class World:
    """The files below one directory, from what the guest said, and what of them may be there at a point of the log."""

    def __init__(self, number, operations, marks):
        self.number = number
        self.views = {mark[1]: mark[4] for mark in marks if mark[2] == MARK_VIEW_WRITTEN}  # {operation: index of the mark}
        self.view_sectors = {}  # {operation: what it wrote, in whole sectors}
        marks = [mark[:4] for mark in marks if mark[2] != MARK_VIEW_WRITTEN]
        self.names = {}  # {path: File}
        self.files = {}
        self.marks = marks  # (index of the flush before it, operations, kind, file)
        self.windows = []
        behind = [mark[1] for mark in marks[1:]] + [len(operations)]
        for (_, done, kind, file), end in zip(marks, behind):
            if kind != MARK_BEGIN:
                self.files[file].flush()
            self.windows.append(Window(self, done, operations[done:end]))

    def do(self, number, kind, *words):
        if kind in ("create", "mkdir"):
            self.names[words[0]] = self.files[int(words[1])] = File(int(words[1]), kind == "mkdir")
        elif kind == "write":
            offset, count = int(words[1]), int(words[2])
            self.files[int(words[0])].write(number, offset, count)
            if number in self.views:
                content = self.files[int(words[0])].content()
                self.view_sectors[number] = [content[at:at + 512].ljust(512, b"\0")
                                             for at in range(offset // 512 * 512, offset + count, 512)]
        elif kind == "size":
            self.files[int(words[0])].resize(int(words[1]))
        elif kind in ("delete", "rmdir"):
            del self.names[words[0]]
        elif kind == "rename":
            for path in [path for path in self.names if path == words[0] or path.startswith(words[0] + "\\")]:
                self.names[words[1] + path[len(words[0]):]] = self.names.pop(path)

    def window(self, base):
        """At a point of the log behind this flush."""
        return self.windows[max(k for k, mark in enumerate(self.marks) if mark[0] <= base)]

    def wrong(self, window, volume, directory):
        """What is not as it has to be on this volume, in words; directory: the first cluster of the world's own."""
        found, seen = defaultdict(list), {}
        for path, is_directory, cluster, size in volume.walk(directory):
            if path == "marks":
                continue
            if path in seen:
                yield f"{path} is there twice"
            seen[path] = True
            numbers = [n for n in window.allowed.get(path, ()) if window.kinds[n] == is_directory]
            if not numbers:
                yield f"{path} should not be there"
                continue
            data = None
            if not is_directory:
                data = volume.read(cluster, size) if size else b""
                yield from self._content_wrong(window, path, numbers, data)
            for number in numbers:
                found[number].append((path, data))
        for number in window.needed:
            if not found[number]:
                yield f"{' or '.join(window.paths[number])} is lost"
        for number, content in window.exact.items():
            if found[number] and all(data != content for _, data in found[number]):
                yield f"{found[number][0][0]}: its contents are not what was flushed"

    @staticmethod
    def _content_wrong(window, path, numbers, data):
        """Each 8 bytes are what an operation wrote to this place of this file, not older than what was flushed; or a hole."""
        if any(data in window.contents[number] for number in numbers):
            return
        if len(data) % UNIT:
            yield f"{path}: it has {len(data)} bytes"
            return
        for k, unit in enumerate(array("Q", data)):
            version, number, place = unit >> 48, unit >> 32 & 0xffff, unit & 0xffffffff
            if not unit:
                if not any(k < len(window.holes[n]) and window.holes[n][k] for n in numbers):
                    yield f"{path}: zeros at {k * UNIT} of {len(data)} bytes, where there never were any"
                    return
            elif number not in numbers or place != k or version > window.limit:
                yield (f"{path}: at {k * UNIT} of {len(data)} bytes is what operation {version} wrote to place "
                       f"{place * UNIT} of file {number}")
                return
        for number in numbers if len(numbers) == 1 and numbers[0] in window.needed else []:
            floor = window.floors[number]
            if floor and (len(data) < len(floor) * UNIT or
                          any(unit >> 48 < version for unit, version in zip(array("Q", data), floor))):
                yield f"{path}: something of it is older than what was flushed"


def marks_find(entries, worlds):
    """For each world its marks: (index of the flush before it, operations done, kind, file, its own index)."""
    marks, flush = [[] for _ in range(worlds)], -1
    for index, entry in enumerate(entries):
        if entry.data is None:
            flush = index
        elif MARK in entry.data:
            for at in range(0, len(entry.data), 512):  # QEMU joins requests that follow each other on the disk
                if entry.data.startswith(MARK, at):
                    world, *words = struct.unpack_from("<4I", entry.data, at + len(MARK))
                    marks[world].append((flush, *words, index))
    return marks


# In the moment of a rename to another sector both names are there, with the same clusters, and for a directory ".." may
# lead to either parent: docs/files.md says why.
SHARED = re.compile(r"^(/.*)  and\n(/.*)\n  share clusters\.\n  Truncating second to 0 bytes.*\n"
                    r"(?:/.*\n  File size is \d+ bytes, cluster chain length is 0 bytes\.\n"
                    r"  Truncating file to 0 bytes\.\n)?", re.M)
PARENT = re.compile(r"^(/.*)\n  Invalid '\.\.' entry in the second slot\. Fixing\.\n", re.M)


def fsck_wrong(image, renames):
    """What fsck.fat finds beside clusters that nobody has. renames: sets of names that one file or directory may have."""
    run = subprocess.run([FSCK, "-n", image], capture_output=True, text=True, errors="replace")

    def harmless(match):
        return "" if any({name.upper() for name in match.groups()} <= names for names in renames) else match[0]

    text = PARENT.sub(harmless, SHARED.sub(harmless, run.stdout))
    wrong = [line for line in text.splitlines() if not HARMLESS.match(line)]
    if run.returncode not in (0, 1):
        wrong.append(f"fsck.fat ends with {run.returncode}: {run.stderr}")
    if wrong:
        wrong.append(run.stdout)
    return wrong


def views_wrong(entries, worlds):
    """What FlushViewOfFile had not written when it returned, in words."""
    due = {index: world.view_sectors[operation] for world in worlds for operation, index in world.views.items()}
    written = set()
    for index, entry in enumerate(entries):
        if entry.data is not None:
            written.update(entry.data[at:at + 512] for at in range(0, len(entry.data), 512))
        missing = sum(sector not in written for sector in due.get(index, ()))
        if missing:
            yield f"{missing} of {len(due[index])} sectors of a view are not written at the mark {index}"


class Judge:
    """Looks at the disk as it is after a power cut."""

    def __init__(self, image, directory, worlds):
        self.image, self.directory, self.worlds = image, directory, worlds
        self.disk = Rebuilt(image)

    def wrong(self, base):
        """What is wrong, in words; base: the index of the last flush that is done."""
        windows = [world.window(base) for world in self.worlds]
        renames = [{f"/{self.directory}{world.number}/{path}".upper().replace("\\", "/") for path in paths}
                   for world, window in zip(self.worlds, windows) for paths in window.paths.values() if len(paths) > 1]
        wrong = fsck_wrong(self.image, renames)
        try:
            volume = FatVolume(self.disk.bytes)
            places = {name: cluster for name, _, cluster, _ in volume.list(volume.root)}
            for world, window in zip(self.worlds, windows):
                wrong += [f"{self.directory}{world.number}: {what}"
                          for what in world.wrong(window, volume, places[f"{self.directory}{world.number}"])]
        except FatError as error:
            wrong.append(str(error))
        return wrong


def lose(disk, writes, chance):
    """Does again what of the writes has reached the disk: each sector by itself, or each write, or all but one of them."""
    how, spared = chance.random(), chance.randrange(len(writes)) if writes else 0
    likely = chance.random()
    for number, write in enumerate(writes):
        if how < 0.2:
            if number != spared:
                disk.write(write.sector, write.data)
        elif how < 0.5:
            if chance.random() < likely:
                disk.write(write.sector, write.data)
        else:
            for at in range(0, len(write.data), 512):
                if chance.random() < likely:
                    disk.write(write.sector + at // 512, write.data[at:at + 512])


CONFIGURATIONS = {
    # The boot volume, with clusters of a page; and one whose clusters are a sector.
    "system-release-1": dict(build="release", cpus=1, swap="none"),
    "second-debug-4": dict(build="debug", cpus=4, swap="64M"),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_power_cut(machine, builds, tmp_path, name):
    options = CONFIGURATIONS[name]
    seed = int(os.environ.get("POWER_CUT_SEED") or random.SystemRandom().randrange(1 << 30))
    print(f"to replay: POWER_CUT_SEED={seed}")
    image, before, log = (tmp_path / name for name in ("disk.img", "before.img", "log"))
    on_system = name.startswith("system")
    if on_system:
        builds.copy_image(builds.volume(options["build"]), image)
        options = dict(options, volume=image, keep=True, write_log=log)
    else:
        volume_make(image)
        options = dict(options, disks=[logged_disk(image, log, "disk2")])
    builds.copy_image(image, before)
    run = machine(ram="64M", run=rf"tests\power_cut {'C' if on_system else 'D'}:\cut {seed} {OPERATIONS}", **options)
    run.start()
    run.wait_for("^power_cut: the end")
    run.guest.kill()

    operations = [[], []]
    for world, number, rest in re.findall(r"^op (\d)\|(\d+)\|(.*)$", run.guest.output, re.M):
        operations[int(world)].append((int(number), *rest.split("|")))
    for told in operations:
        assert [operation[0] for operation in told] == list(range(1, len(told) + 1)), "a line of the console is damaged"
    entries = log_read(log)
    worlds = [World(number, operations[number], marks) for number, marks in enumerate(marks_find(entries, 2))]
    wrong = list(views_wrong(entries, worlds))
    assert not wrong, f"seed {seed}:\n" + "\n".join(wrong)
    judge = Judge(before, "cut", worlds)
    chance = random.Random(seed)

    first = max(world.marks[0][0] for world in worlds)
    points = sorted(chance.choices([i for i, e in enumerate(entries) if e.data is not None and i > first], k=POINTS))
    base, since, flushes = -1, [], 0
    for index, entry in enumerate(entries):
        if entry.data is not None:
            since.append(entry)
        while points and points[0] == index:
            points.pop(0)
            judge.disk.begin()
            lose(judge.disk, since, chance)
            wrong = judge.wrong(base)
            assert not wrong, f"seed {seed}: the power goes at write {index}, after flush {base}:\n" + "\n".join(wrong)
            judge.disk.rollback()
        if entry.data is None:
            for write in since:
                judge.disk.write(write.sector, write.data)
            base, since = index, []
            if index >= first:
                flushes += 1
                wrong = judge.wrong(base)
                assert not wrong, f"seed {seed}: the power goes at flush {index}:\n" + "\n".join(wrong)
    kinds = [mark[2] for world in worlds for mark in world.marks]
    assert flushes > 100 and not points and sum(len(world.views) for world in worlds) > 5
    print(f"{len(entries)} writes and flushes, {flushes} flushes in question, {len(kinds)} of them a program's, "
          f"{kinds.count(MARK_VIEW_FLUSHED)} of these of a view")
