"""Data files on D: while its disk goes without a word, comes back, and fails; what plugging costs."""

import re
import time

import pytest

from disks import Disk
from paging_files import NbdServer, nbdkit_is_missing
from test_files import fsck
from test_media import gone_wait
from test_volumes import MKFS, volume_make

pytestmark = pytest.mark.skipif(MKFS is None, reason="mkfs.fat is not installed")

CAPABILITY_EXPRESS = 0x10
SLOT_CONTROL = 0x18
POWER_OFF = 0x700  # and the indicator off


def say(guest, text="\n"):
    guest.process.stdin.write(text.encode())
    guest.process.stdin.flush()


def put_in(guest, image, name, read_only=False):
    """The image becomes the disk in the slot that D: comes from; what was there may need a moment to be gone."""
    guest.qmp("blockdev-add", node_name=f"{name}-file", driver="raw", read_only=read_only,
              file={"driver": "file", "filename": str(image), "locking": "off"})  # one that died keeps its lock
    for _ in range(50):
        try:
            return guest.qmp("device_add", driver="virtio-blk-pci", id=name, drive=f"{name}-file", serial="disk2",
                             bus="port-disk2", disable_legacy="on", werror="report", rerror="report")
        except RuntimeError as error:
            if "in use" not in str(error):
                raise
            time.sleep(0.1)
    raise AssertionError(f"the slot stays in use: {guest.output}")


def vanish(guest):
    """The slot that D: is in loses its power, and nobody pressed its button: the monitor writes to the port's registers."""
    def monitor(line):
        return guest.qmp("human-monitor-command", command_line=line)

    def read(at):
        monitor(f"o /w 0xcf8 {at & ~3:#x}")
        return int(monitor("i /w 0xcfc").split("=")[1], 16)

    guest.qmp("stop")
    latch = int(monitor("i /w 0xcf8").split("=")[1], 16)  # the guest may be in the middle of an access
    slot, function = map(int, re.search(r"device +(\d+), function (\d+):\s+PCI bridge", monitor("info pci")).groups())
    port = 0x80000000 | slot << 11 | function << 8
    at = read(port | 0x34) & 0xff
    while read(port | at) & 0xff != CAPABILITY_EXPRESS:
        at = read(port | at) >> 8 & 0xff
    control = read(port | at + SLOT_CONTROL) & 0xffff
    monitor(f"o /w 0xcf8 {port | at + SLOT_CONTROL:#x}")
    monitor(f"o /h 0xcfc {control & ~POWER_OFF | POWER_OFF:#x}")
    monitor(f"o /w 0xcf8 {latch:#x}")
    guest.qmp("cont")


def die(guest, name):
    """The disk does not answer any more, and its slot says nothing of it."""
    guest.qmp("qom-set", path=f"/machine/peripheral/{name}", property="realized", value=False)


@pytest.mark.parametrize("build,cpus,swap", [("release", 4, "none"), ("debug", 1, "64M"), ("debug", 4, "none")])
def test_disk_vanishes(machine, tmp_path, build, cpus, swap):
    disk = volume_make(tmp_path / "second.img")
    run = machine(build=build, cpus=cpus, swap=swap, ram="64M", options="check=exit", disk2=disk)
    guest = run.start()
    run.wait_for(r"C:\\> ")
    say(guest, "media_files vanish\n")
    run.wait_for("media: vanish")
    vanish(guest)
    run.wait_for(r"D: is taken out$")
    say(guest)
    run.wait_for(r"in-page error.*read of .*\(D:\\clean.bin\+0x28005, byte 0x28005 of the file can't be read")
    run.wait_for("media: back, read-only")
    run.wait_for(r"D:\\left\.bin: 2 modified pages are lost: the disk was taken out")
    put_in(guest, disk, "second", read_only=True)
    run.wait_for("D: is back")
    say(guest)
    run.wait_for("media: vanish again")
    vanish(guest)
    run.wait_for(r"D: is taken out$")
    say(guest)
    run.wait_for("media: back")
    put_in(guest, disk, "third")
    run.wait_for("D: is back")
    say(guest)
    run.wait_for("media: die")
    die(guest, "third")
    run.wait_for("D: is taken out; not all changes could be written")
    say(guest)
    run.wait_for("media: back after")
    put_in(guest, disk, "fourth")
    run.wait_for("another volume is D: now")
    say(guest)
    run.wait_for(r"1\.\.\d+")
    say(guest, "exit 0\n")
    run.finish().judge()
    assert "not ok" not in run.output()
    assert "mm_check" not in run.output()
    lost = re.findall(r"^.*lost: .*$", run.output(), re.M)
    assert sum("left.bin" in line for line in lost) == 1 and sum("dirty.bin" in line for line in lost) == 1, lost
    assert len(re.findall(r"dirty\.bin: 2 modified pages can't be written", run.output())) >= 1


@pytest.mark.skipif(nbdkit_is_missing(), reason="nbdkit is not installed")
@pytest.mark.parametrize("build,cpus,swap", [("release", 1, "64M"), ("debug", 4, "none")])
def test_mapped_writes_fail(machine, tmp_path, build, cpus, swap):
    image = volume_make(tmp_path / "second.img")
    with NbdServer("file", image, filters=["error"],
                   parameters=["error=EIO", "error-pwrite-rate=100%", "error-file={error_file}"]) as server:
        run = machine(build=build, cpus=cpus, swap=swap, ram="64M", options="check=exit", disks=[Disk(server.swap, "disk2")])
        guest = run.start()
        run.wait_for(r"C:\\> ")
        say(guest, "media_files errors\n")
        run.wait_for("media: fail")
        server.fail()
        say(guest)
        run.wait_for(r"D:\\dirty\.bin: 2 modified pages can't be written: the disk reports an error")
        run.wait_for("media: work")
        server.fail(False)
        say(guest)
        run.wait_for(r"1\.\.\d+")
        say(guest, "exit 0\n")
        run.finish().judge()
    assert "not ok" not in run.output()
    assert len(re.findall("can't be written", run.output())) == 1
    assert "D:\\dirty.bin: what could not be written is written" in run.output()
    fsck(image)


CYCLES = 50


def test_plugging_costs_nothing(machine, tmp_path):
    """After fifty disks have come and gone memory is as it was: those that went without a word too."""
    disk = volume_make(tmp_path / "second.img")
    run = machine(build="debug", cpus=2, swap="none", ram="64M", options="check=exit", disk2=disk)
    guest = run.start()

    def memory():
        begin = len(guest.output)
        say(guest, "memstat -r\n")
        run.wait_for(r"^pool_pages=\d+$")
        run.wait_for(r"C:\\> ")
        return {name: int(value) for name, value in re.findall(r"^(\w+)=(\d+)$", guest.output[begin:], re.M)}

    def cycle(number, name):
        guest.qmp("device_del", id=name) if number % 2 else vanish(guest)
        run.wait_for("D: is taken out")
        gone_wait(guest, name)
        put_in(guest, disk, f"disk-{number}")
        run.wait_for(r"D: is back")
        return f"disk-{number}"

    run.wait_for(r"C:\\> ")
    name = "disk2"
    for number in range(3):  # what is made once is there
        name = cycle(number, name)
    before = memory()
    for number in range(3, 3 + CYCLES):
        name = cycle(number, name)
    after = memory()
    say(guest, "exit 0\n")
    run.finish().judge()
    for name in ("commit_charge", "commit_kernel", "frames_kernel", "pool_pages"):
        assert before[name] == after[name], f"{name}: {before[name]} and then {after[name]}"
