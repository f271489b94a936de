"""What linkers put into DLLs and programs: imports by name, by ordinal, of data, delayed ones; forwarders; thread-local
storage; and the order in which DLLs are initialised and told of threads and ends. Built by mingw-w64, unmodified."""

import re
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "programs/dlls"
TOOLS = "x86_64-w64-mingw32-"

# What main.c and the DLLs print, in this order. Source: Windows documentation of DllMain and of thread-local storage.
EXPECTED = """\
base: TLS callback before DllMain
base: attached with the program
middle: attached with the program
early: attached later
main: TLS callback: the process begins
main: begins
load order: main.exe ntdll.dll KERNEL32.dll msvcrt.dll base.dll middle.dll early.dll
memory order: main.exe ntdll.dll KERNEL32.dll msvcrt.dll base.dll middle.dll early.dll
initialisation order: ntdll.dll KERNEL32.dll msvcrt.dll base.dll middle.dll early.dll
sum 1721, forwarded 1, renamed 3
main: own copy of thread-local data: 6
base: a thread begins
middle: a thread begins
early: a thread begins
main: TLS callback: a thread begins
thread: own copy of thread-local data: 5
early: a thread ends
middle: a thread ends
base: a thread ends
main: TLS callback: a thread ends
main: late is not loaded yet
late: attached later
late: 15
main: one module for all
late: detached
main: late is gone
refuse: attached later
refuse: detached
main: refuse: ERROR_DLL_INIT_FAILED
early: detached
main: early is gone
main: the delayed DLL is missing
main: the delayed function is missing
main: ends
middle: the process ends
base: the process ends
main: TLS callback: the process ends
"""


EXIT_MOST = 99  # what the machine's exit code says of all that are higher, such as STATUS_DLL_NOT_FOUND


def run(*words, directory):
    subprocess.run([TOOLS + words[0], *map(str, words[1:])], check=True, cwd=directory)


@pytest.fixture(scope="module")
def volume(builds, mingw, tmp_path_factory):
    directory = tmp_path_factory.mktemp("dlls")
    flags = ["-O1", "-Wall", "-Wextra", "-Werror"]
    for name, needs in (("base", []), ("middle", ["base"]), ("late", []), ("refuse", []), ("early", [])):
        run("dlltool", "-d", SOURCES / f"{name}.def", "-l", f"lib{name}.a", directory=directory)
        run("gcc", *flags, "-shared", SOURCES / f"{name}.c", SOURCES / f"{name}.def", *[f"lib{n}.a" for n in needs],
            "-o", f"{name}.dll", directory=directory)
    for name in ("late", "delayed", "gone"):  # what is there; what middle.dll does not have; a DLL that is nowhere
        run("dlltool", "-d", SOURCES / f"{name}.def", "-y", f"lib{name}.a", directory=directory)
    run("gcc", *flags, SOURCES / "main.c", "libbase.a", "libmiddle.a", "liblate.a", "libdelayed.a", "libgone.a",
        "-o", "main.exe", directory=directory)
    image = directory / "volume.img"
    builds.copy_image(builds.get("release").image, image)
    builds.mtools("mcopy", "-o", "-i", image, directory / "main.exe", *sorted(directory.glob("*.dll")), "::/")
    return image


@pytest.mark.parametrize("how", [dict(), dict(build="debug", cpus=4, swap="none")], ids=["release", "debug"])
def test_order(boot, volume, how):
    output = boot(volume=volume, run="\\main", **how).output().replace("\r", "")
    lines = [line for line in output.splitlines(keepends=True) if re.match(r"(base|middle|late|refuse|early|main|thread|sum|"
                                                                          r"load|memory|initialisation)\b.*: |sum", line)]
    assert "".join(lines) == EXPECTED


@pytest.mark.parametrize("missing", ["base", "middle"])
def test_missing(boot, builds, volume, tmp_path, missing):
    image = tmp_path / "volume.img"
    builds.copy_image(volume, image)
    builds.mtools("mdel", "-i", image, f"::/{missing}.dll")
    boot(volume=image, console=b"\\main\n", code=EXIT_MOST).expect(rf"main\.exe: {missing}\.dll is missing")
