"""Disks that are taken out while the machine runs, that come back, and that fail: D:."""

import re

import pytest

from test_files import fsck
from test_volumes import MKFS, volume_make

pytestmark = pytest.mark.skipif(MKFS is None, reason="mkfs.fat is not installed")


def take_out(guest, name="disk2"):
    guest.qmp("device_del", id=name)


def put_in(guest, image, name):
    """The image becomes the disk in the slot that D: comes from."""
    guest.qmp("blockdev-add", node_name=f"{name}-file", driver="raw", file={"driver": "file", "filename": str(image)})
    guest.qmp("device_add", driver="virtio-blk-pci", id=name, drive=f"{name}-file", serial="disk2", bus="port-disk2",
              disable_legacy="on", werror="report", rerror="report")


@pytest.mark.parametrize("build,cpus,swap", [("release", 1, "none"), ("debug", 4, "64M")])
def test_disk_goes_and_comes(machine, tmp_path, build, cpus, swap):
    disk, other = volume_make(tmp_path / "second.img"), volume_make(tmp_path / "other.img", "OTHER", "9abcdef0")
    run = machine(build=build, cpus=cpus, swap=swap, ram="64M", options="check=exit", disk2=disk)
    guest = run.start()

    def say(text):
        guest.process.stdin.write(text)
        guest.process.stdin.flush()

    run.wait_for(r"C:\\> ")
    say(b"media\n")
    run.wait_for("media: take out")
    take_out(guest)
    run.wait_for("D: is taken out")
    say(b"\n")
    # Unhandled: by name, with the place in the file.
    run.wait_for(r"in-page error.*\(D:\\\S+ \S+\+0x[0-9a-f]+, byte 0x[0-9a-f]+ of the file can't be read\)")
    run.wait_for("media: put back")
    put_in(guest, disk, "again")
    run.wait_for("D: is back")
    say(b"\n")
    run.wait_for("media: change")
    take_out(guest, "again")
    run.wait_for("D: is taken out")
    put_in(guest, other, "other")
    run.wait_for("another volume is D: now")
    say(b"\n")
    run.wait_for(r"1\.\.\d+")
    say(b"exit 0\n")
    run.finish().judge()
    assert "not ok" not in run.output()
    assert not re.search("mm_check|lost", run.output())
    fsck(disk)
    fsck(other)
