"""Disks that are taken out while the machine runs, that come back, and that fail: D:."""

import re
import struct
import time

import pytest

from disks import Disk
from paging_files import NbdServer, nbdkit_is_missing
from test_files import fsck
from test_volumes import MKFS, volume_make

pytestmark = pytest.mark.skipif(MKFS is None, reason="mkfs.fat is not installed")


def gone_wait(guest, name):
    """Until QEMU has taken the device out to the end. It serves the monitor in the middle of that, and a disk that is put in
    then is in a slot that says to be empty."""
    while any(child["name"] == name for child in guest.qmp("qom-list", path="/machine/peripheral")):
        time.sleep(0.01)


def take_out(guest, name="disk2"):
    guest.qmp("device_del", id=name)
    gone_wait(guest, name)


def put_in(guest, image, name):
    """The image becomes the disk in the slot that D: comes from."""
    guest.qmp("blockdev-add", node_name=f"{name}-file", driver="raw", file={"driver": "file", "filename": str(image)})
    guest.qmp("device_add", driver="virtio-blk-pci", id=name, drive=f"{name}-file", serial="disk2", bus="port-disk2",
              disable_legacy="on", werror="report", rerror="report")


def file_offset(image, section, rva):
    """Where in an image file a byte of one of its sections is, as its section table says."""
    data = image.read_bytes()
    header = struct.unpack_from("<I", data, 0x3c)[0]
    count, optional = struct.unpack_from("<H", data, header + 6)[0], struct.unpack_from("<H", data, header + 20)[0]
    for number in range(count):
        name, _, address, size, offset = struct.unpack_from("<8sIIII", data, header + 24 + optional + 40 * number)
        if name.rstrip(b"\0").decode() == section and address <= rva < address + size:
            return rva - address + offset
    raise AssertionError(f"{image}: no {section} at {rva:#x}")


@pytest.mark.parametrize("build,cpus,swap", [("release", 1, "none"), ("debug", 4, "64M")])
def test_disk_goes_and_comes(builds, machine, tmp_path, build, cpus, swap):
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
    for _ in range(2):
        match = run.wait_for(r"in-page error.*\((D:\\(?:plain\.exe|image\.dll))\+0x([0-9a-f]+), (\S+), "
                             r"byte 0x([0-9a-f]+) of the file can't be read\)")
        name, place, section, byte = (word.decode() for word in match.groups())
        files = builds.get(build).directory / "volume"
        image = files / {"D:\\plain.exe": "tests/media.exe", "D:\\image.dll": "system/msvcrt.dll"}[name]
        assert int(byte, 16) == file_offset(image, section, int(place, 16))
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


@pytest.fixture
def disk_with_program(builds, tmp_path):
    image = volume_make(tmp_path / "second.img")
    builds.mtools("mcopy", "-i", image, builds.get("release").directory / "volume/bin/hello.exe", "::/hello.exe")
    return image


@pytest.mark.skipif(nbdkit_is_missing(), reason="nbdkit is not installed")
@pytest.mark.parametrize("build,cpus,swap", [("release", 1, "64M"), ("debug", 4, "none")])
def test_reads_fail_for_a_while(machine, disk_with_program, build, cpus, swap):
    with NbdServer("file", disk_with_program, filters=["error"],
                   parameters=["error=EIO", "error-pread-rate=100%", "error-file={error_file}"]) as server:
        run = machine(build=build, swap=swap, ram="64M", cpus=cpus, options="check=exit", disks=[Disk(server.swap, "disk2")])
        guest = run.start()

        def say(text):
            guest.process.stdin.write(text)
            guest.process.stdin.flush()

        run.wait_for(r"C:\\> ")
        say(b"media_files reads\n")
        run.wait_for("media: fail")
        server.fail()
        say(b"\n")
        run.wait_for("media: work")
        server.fail(False)
        say(b"\n")
        run.wait_for(r"1\.\.\d+")
        server.fail()
        say(b"cp D:\\hello.exe C:\\copy.exe\n")
        run.wait_for(r"ERROR_IO_DEVICE|error 1117")
        say(b"D:\\hello\n")
        run.wait_for(r"ERROR_IO_DEVICE|error 1117")
        server.fail(False)
        say(b"D:\\hello\n")
        run.wait_for("Hello from process")
        say(b"exit 0\n")
        run.finish().judge()
        assert "not ok" not in run.output()


BAD_PAGE = 21  # as tests/guest/media_files.c has it


def test_a_bad_sector_and_failing_writes(builds, machine, disk_with_program, tmp_path):
    """One sector of a file and one of an image can't be read: nothing but their pages is lost. No write works at all."""
    data, image = tmp_path / "bad.bin", builds.get("release").directory / "volume/system/msvcrt.dll"
    data.write_bytes(b"".join(bytes([page + 1]) * 4096 for page in range(64)))
    for file, name in (data, "bad.bin"), (image, "image.dll"):
        builds.mtools("mcopy", "-i", disk_with_program, file, f"::/{name}")
    disk = disk_with_program.read_bytes()
    sectors = [disk.index(bytes([BAD_PAGE + 1]) * 4096) // 512 + 3,
               disk.index(image.read_bytes()) // 512 + file_offset(image, ".text", 0x8000) // 512 + 1]
    rules = tmp_path / "blkdebug"
    rule = '[inject-error]\nevent = "none"\niotype = "{}"\nerrno = "5"\nonce = "off"\n'
    rules.write_text(rule.format("write") + "".join(f'{rule.format("read")}sector = "{sector}"\n' for sector in sectors))
    run = machine(swap="none", ram="64M", cpus=4, build="debug", options="check=exit",
                  disks=[Disk(f"blkdebug:{rules}:{disk_with_program}", "disk2")],
                  console=b"media_files sector\ncp bin\\cat.exe D:\\cat.exe\nmkdir D:\\new\nD:\\hello\nexit 0\n")
    run.start()
    run.finish().judge()
    run.expect(r"^1\.\.\d+$")
    assert "not ok" not in run.output()
    run.expect(r"ERROR_IO_DEVICE|error 1117")
    run.expect("Hello from process")
    fsck(disk_with_program)
