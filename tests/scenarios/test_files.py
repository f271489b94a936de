"""Files that the guest writes, looked at from outside: mtools and fsck.fat are the witnesses."""

import os
import re
import shutil
import subprocess

import pytest

from test_memory_tools import part

FSCK = shutil.which("fsck.fat", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
pytestmark = pytest.mark.skipif(FSCK is None, reason="fsck.fat is not installed")


@pytest.fixture
def disk(builds, tmp_path):
    """disk(build) is a volume of the test's own, which machines may change."""
    def make(build="release"):
        image = tmp_path / "disk.img"
        builds.copy_image(builds.volume(build), image)
        return image
    return make


def fsck(image):
    """What fsck.fat says about a volume; it must be without fault."""
    run = subprocess.run([FSCK, "-n", image], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def read(builds, image, path, to):
    builds.mtools("mcopy", "-n", "-o", "-i", image, f"::{path}", to)
    return to.read_bytes()


def session(machine, image, *commands, code=0, **options):
    run = machine(volume=image, keep=True, console="".join(f"{c}\n" for c in commands).encode(), **options)
    run.start()
    run.finish()
    run.judge(code)
    return run


@pytest.mark.parametrize("build,cpus", [("release", 1), ("debug", 4)])
def test_changes_stay(machine, builds, disk, tmp_path, build, cpus):
    """What one machine writes, mtools read, and the next machine finds."""
    image = disk(build)
    session(machine, image, "mkdir kept", r"cp bin\hello.exe kept\program", r"mv kept\program kept\program.exe",
            r"cp -r kept copy", r"hello one > kept\words.txt", r"hello two >> kept\words.txt", r"touch kept\Empty.File",
            r"rm copy\program.exe", "rmdir copy", r"trace -o kept\events.txt -- hello", "exit 0",
            build=build, cpus=cpus, swap="none", ram="64M")
    fsck(image)
    original = read(builds, image, "/bin/hello.exe", tmp_path / "original")
    assert read(builds, image, "/kept/program.exe", tmp_path / "copy") == original
    words = read(builds, image, "/kept/words.txt", tmp_path / "words").decode()
    assert re.findall(r"^argument 1: (\w+)", words, re.M) == ["one", "two"]
    assert read(builds, image, "/kept/Empty.File", tmp_path / "empty") == b""
    events = read(builds, image, "/kept/events.txt", tmp_path / "events").decode()
    assert re.search(r"^ +SECONDS C +ID PROCESS", events) and len(re.findall(r" hello\.exe +image-read ", events)) > 3
    with pytest.raises(subprocess.CalledProcessError):
        read(builds, image, "/copy", tmp_path / "none")

    run = session(machine, image, r"kept\program again", r"rm -r kept", "ls", "exit 0",
                  build=build, cpus=cpus, swap="none", ram="64M")
    assert "argument 1: again" in part(run, r"kept\program again")
    assert "kept" not in part(run, "ls")
    fsck(image)


def test_flushed_before_the_end(machine, builds, disk, tmp_path):
    """After sync all of it is on the disk, though the machine never ends in good order."""
    image = disk()
    run = machine(volume=image, keep=True, swap="none", ram="64M", cpus=2)
    guest = run.start()
    assert guest.read_until(r"^C:\\> ", 200)
    guest.write("hello there > said.txt\r")
    assert guest.read_until(r"^C:\\> ", 200)
    guest.write("sync\r")
    assert guest.read_until(r"^C:\\> ", 200)
    guest.kill()
    assert b"argument 1: there" in read(builds, image, "/said.txt", tmp_path / "said")
    assert "Free cluster summary" not in fsck(image)


# What fsck.fat says of clusters that nobody has, and of what is not right before a clean end.
HARMLESS = re.compile(r"^(|fsck\.fat .*|/.+(?<!  and)|  File size is \d+ bytes, cluster chain length is > \d+ bytes\.|"
                      r"  Truncating file to \d+ bytes\.|Reclaimed \d+ unused clusters? \(\d+ bytes\).*|"
                      r"Free cluster summary uninitialized .*|FATs differ but appear to be intact\..*|  Using first FAT\.|"
                      r"Leaving filesystem unchanged\.|.* files, \d+/\d+ clusters)$")


def fsck_after_power_cut(image):
    """Nothing is wrong but clusters that are lost."""
    run = subprocess.run([FSCK, "-n", image], capture_output=True, text=True)
    wrong = [line for line in run.stdout.splitlines() if not HARMLESS.match(line)]
    assert not wrong and run.returncode in (0, 1), run.stdout + run.stderr


def words_right(data):
    """Does each whole 32-bit word hold its own number?"""
    return data[:len(data) // 4 * 4] == b"".join(n.to_bytes(4, "little") for n in range(len(data) // 4))


@pytest.mark.parametrize("cpus,swap", [(1, "none"), (4, "64M")])
def test_flushed_view(machine, builds, disk, tmp_path, cpus, swap):
    """What FlushViewOfFile and FlushFileBuffers have written is in the file, though the machine never ends."""
    image = disk()
    run = machine(volume=image, keep=True, swap=swap, ram="64M", cpus=cpus, run=r"tests\files_load flush")
    guest = run.start()
    assert guest.read_until(r"^flushed", 200)
    guest.kill()
    data = read(builds, image, "/load/file-0.bin", tmp_path / "flushed")
    assert len(data) == 1200000 and words_right(data)
    fsck_after_power_cut(image)


@pytest.mark.parametrize("seed,rounds", [(1, 100), (2, 300), (3, 500)])
def test_growing_files_at_a_power_cut(machine, builds, disk, tmp_path, seed, rounds):
    """A file's size never comes before its contents: whatever of it there is, is right."""
    image = disk()
    run = machine(volume=image, keep=True, swap="none", ram="64M", cpus=2, run=rf"tests\files_load append {seed}")
    guest = run.start()
    assert guest.read_until(rf"^round {rounds}\b", 300)
    guest.kill()
    fsck_after_power_cut(image)
    found = 0
    for number in range(12):
        try:
            data = read(builds, image, f"/load/file-{number}.bin", tmp_path / "grown")
        except subprocess.CalledProcessError:
            continue
        found += len(data)
        assert words_right(data), f"file {number}, {len(data)} bytes"
    assert found > 100000
