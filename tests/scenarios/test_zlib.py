"""A DLL that nobody here built: Debian's zlib1.dll, used by ten processes at once while memory is short."""

import re
import subprocess
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path("/usr/x86_64-w64-mingw32/lib")
PROCESSES, MIB, ROUNDS = 10, 1, 2


def fill(count, seed):
    """As zlib_shared.c fills its data."""
    letters, data = b"etaoin shrdlu", bytearray()
    for _ in range(count):
        seed = (seed * 1664525 + 1013904223) & 0xffffffff
        data.append(letters[(seed >> 24) % 13])
    return bytes(data)


@pytest.fixture(scope="module")
def volumes(builds, mingw, tmp_path_factory):
    """volumes(build): the path of a system volume with the program and the DLL."""
    made = {}

    def volume(name):
        if name not in made:
            build, directory = builds.get(name), tmp_path_factory.mktemp("zlib")
            program, made[name] = directory / "zlib_shared.exe", directory / "volume.img"
            subprocess.run([mingw, "-O2", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "userland/include", "-I",
                            ROOT / "kernel", ROOT / "tests/scenarios/programs/zlib_shared.c", "-lz",
                            build.directory / "dll/libntdll.a", "-o", program], check=True)
            builds.copy_image(build.image, made[name])
            builds.mtools("mcopy", "-o", "-i", made[name], program, LIBRARY / "zlib1.dll", "::/")
        return made[name]
    return volume


@pytest.mark.parametrize("build, cpus, swap, memory", [
    ("release", 4, "64M", "16M"), ("debug", 1, "64M", "16M"), ("release", 1, "none", "60M"), ("debug", 4, "none", "60M")])
def test_ten_processes(boot, volumes, build, cpus, swap, memory):
    run = boot(volume=volumes(build), build=build, cpus=cpus, swap=swap, ram="96M", options=f"mem={memory} check=exit",
               run=f"zlib_shared {PROCESSES} {MIB} {ROUNDS}")
    sample = run.expect(r"^sample: ([0-9a-f]+)$")[1]
    assert zlib.decompress(bytes.fromhex(sample)) == fill(600, 7)
    found = re.findall(r"^process (\d+): exit code 0x0, crc ([0-9a-f]{8}), base ([0-9a-f]+)$", run.output(), re.M)
    assert len(found) == PROCESSES
    assert len({base for _, _, base in found}) == 1, "the DLL is at the same place in all processes"
    for number, crc, _ in found[:2]:
        assert int(crc, 16) == zlib.crc32(fill(MIB << 20, int(number) * 1000 + ROUNDS - 1))
    pages = re.findall(r"^page \d+: (private|same frame) in (\d+) of", run.output(), re.M)
    shared = [int(same) for kind, same in pages if kind == "same frame"]
    # What is read-only and was never written, all of it but the page of the import table, is one frame for all.
    assert len(shared) >= 15 and all(same == PROCESSES for same in shared), pages
    written = int(run.expect(r"^pages written to paging files: (\d+)$")[1])
    assert (written > 0) == (swap != "none")
