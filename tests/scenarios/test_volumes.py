"""The second volume, D:."""

import os
import shutil
import subprocess

import pytest

from test_files import fsck

MKFS = shutil.which("mkfs.fat", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
pytestmark = pytest.mark.skipif(MKFS is None, reason="mkfs.fat is not installed")


def volume_make(path, label="SECOND", serial="12345678"):
    """A FAT32 volume of 40 MiB without files."""
    subprocess.run([MKFS, "-F", "32", "-n", label, "-i", serial, "-C", path, str(40 << 10)], check=True, capture_output=True)
    return path


@pytest.mark.parametrize("build,cpus,swap", [("release", 4, "64M"), ("debug", 1, "none")])
def test_second_volume(machine, tmp_path, build, cpus, swap):
    disk = volume_make(tmp_path / "second.img")
    run = machine(build=build, cpus=cpus, swap=swap, ram="64M", options="check=exit", disk2=disk,
                  console=b"testrun volumes\ndf\nls D:\\\ncp bin\\hello.exe D:\\\ncd D:\\\nhello.exe\npwd\nsync\n")
    run.start()
    run.finish().judge()
    run.expect(r"^ok 1 - there are the drives")
    assert "not ok" not in run.output()
    run.expect(r"^D: +39\.\d MiB")
    run.expect(r"^argument 0: hello.exe")
    run.expect(r"^D:\\$")
    fsck(disk)


def test_not_a_volume(machine, tmp_path):
    """What is no FAT32 volume is named, and the boot goes on."""
    disk = tmp_path / "empty.img"
    disk.write_bytes(bytes(1 << 20))
    run = machine(disk2=disk, swap="none", console=b"df\nls D:\\\nexit 0\n")
    run.start()
    run.finish().judge()
    run.expect(r"is not used as D: .*no boot sector signature")
    run.expect(r"^C: ")
    run.expect(r"ERROR_PATH_NOT_FOUND")
    assert "\nD: " not in run.output()
