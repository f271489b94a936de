"""Where images are: what each kind allows, a DLL at one place in all processes, at another one in each boot. Built by mingw-w64."""

import collections
import subprocess

import pytest

# Says where it is, and where the DLLs are that it loads. Without an argument it has each EXE do so twice meanwhile.
PROGRAM = r"""
#include <stdio.h>
#include <windows.h>
static const char *const kinds[] = { "high", "narrow", "low", "fixed", "stripped", "both" };
int main(int argc, char **argv)
{
	char name[64];
	printf("exe " NAME " %p\n", (void *)GetModuleHandleA(NULL));
	printf("dll ntdll %p\n", (void *)GetModuleHandleA("ntdll.dll"));
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "C:\\aslr\\%s.dll", kinds[i]);
		printf("dll %s %p\n", kinds[i], (void *)LoadLibraryA(name));
	}
	fflush(stdout);
	for (int i = 0; argc == 1 && i < 12; i++) {
		STARTUPINFOA start = { .cb = sizeof(start) };
		PROCESS_INFORMATION child;
		snprintf(name, sizeof(name), "C:\\aslr\\%s.exe child", kinds[i / 2]);
		if (!CreateProcessA(NULL, name, NULL, NULL, FALSE, 0, NULL, NULL, &start, &child))
			return 1;
		WaitForSingleObject(child.hProcess, INFINITE);
		CloseHandle(child.hProcess);
		CloseHandle(child.hThread);
	}
	return 0;
}
"""
DLL = "int state = 5; int *where = &state; __declspec(dllexport) int get(void) { return *where; }"
EXE_BASE, DLL_BASE = 0x140000000, 0x180000000
LOW_BASE = {"exe": 0x400000, "dll": 0x10000000}
# kind -> flags of the linker, where it was linked
KINDS = {
    "high": ["--high-entropy-va"],
    "narrow": ["--disable-high-entropy-va"],
    "low": ["--high-entropy-va"],  # says so, but was linked below 4 GiB
    "fixed": ["--disable-dynamicbase", "--enable-reloc-section"],
    "stripped": ["--disable-dynamicbase", "--disable-reloc-section"],
}
COFF_CHARACTERISTICS, DLL_CHARACTERISTICS = 22, 94  # bytes behind "PE"
GIB = 1 << 30
HIGH = range(0x7ff000000000, 0x7ff000000000 + 60 * GIB)


def flag(file, field, bits):
    """Sets bits of a word of the PE headers."""
    contents = bytearray(file.read_bytes())
    at = int.from_bytes(contents[0x3c:0x40], "little") + field
    contents[at] |= bits
    file.write_bytes(contents)


@pytest.fixture(scope="module")
def volume(builds, mingw, tmp_path_factory):
    directory = tmp_path_factory.mktemp("aslr")
    (directory / "aslr").mkdir()
    (directory / "program.c").write_text(PROGRAM)
    (directory / "dll.c").write_text(DLL)
    for kind, flags in KINDS.items():
        for file, base, more in (("exe", EXE_BASE, ["program.c", f'-DNAME="{kind}"']),
                                 ("dll", DLL_BASE, ["dll.c", "-shared", "-nostdlib", "-Wl,--entry=0"])):
            base = LOW_BASE[file] if kind == "low" else base
            subprocess.run([mingw, "-O1", *more, "-o", f"aslr/{kind}.{file}", f"-Wl,--image-base={base:#x}",
                            *(f"-Wl,{flag}" for flag in flags)], check=True, cwd=directory)
    # The linker keeps a DLL's relocations; the flag says that there are none.
    flag(directory / "aslr/stripped.dll", COFF_CHARACTERISTICS, 1)
    # Says that it may be moved, but nobody can say what would have to be changed.
    both = directory / "aslr/both.exe"
    both.write_bytes((directory / "aslr/stripped.exe").read_bytes().replace(b"exe stripped ", b"exe both     "))
    flag(both, DLL_CHARACTERISTICS, 0x60)
    image = directory / "volume.img"
    builds.copy_image(builds.get("release").image, image)
    builds.mtools("mcopy", "-s", "-i", image, directory / "aslr", "::/")
    return image


def bases(boot, **options):
    """{("exe" or "dll", kind): [where it was in each process]}"""
    output = boot(run="\\aslr\\high", **options).output()
    found = collections.defaultdict(list)
    for line in output.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] in ("exe", "dll"):
            found[words[0], words[1]].append(int(words[2], 16))
    for kind in KINDS:
        assert len(found["exe", kind]) == 2 + (kind == "high"), f"{kind}.exe did not run each time"
        assert len(found["dll", kind]) == 13, f"{kind}.dll was not loaded by each"
    return found


def test_bases(boot, volume):
    """What was linked where, and what it allows, says where it goes."""
    boots = [bases(boot, volume=volume, ram="64M"),
             bases(boot, volume=volume, ram="64M", swap="16M", cpus=4, build="debug", options="check=exit"),
             bases(boot, volume=volume, ram="64M", cpus=2)]
    for found in boots:
        areas = {("exe", "high"): HIGH, ("dll", "high"): HIGH, ("dll", "ntdll"): HIGH,
                 ("exe", "low"): range(4 << 20, 20 << 20), ("dll", "low"): range(GIB - (1 << 24), 2 * GIB),
                 ("exe", "narrow"): range(5 * GIB, 5 * GIB + (16 << 20)),
                 ("dll", "narrow"): range(6 * GIB - (1 << 24), 7 * GIB)}
        for image, area in areas.items():
            assert all(at in area and at % 65536 == 0 for at in found[image]), f"{image}: {found[image]}"
        for kind in "fixed", "stripped", "both":
            assert set(found["exe", kind]) == {EXE_BASE}
        assert set(found["dll", "fixed"]) == {DLL_BASE}
        assert set(found["dll", "stripped"]) == {0}, "its place is taken, and it can't be moved"
        for kind in "ntdll", "high", "narrow", "low":
            assert len(set(found["dll", kind])) == 1, f"{kind}.dll is not at one place: {found['dll', kind]}"
        for dll in "high", "narrow", "low":
            assert found["dll", dll][0] not in (EXE_BASE, DLL_BASE, *LOW_BASE.values())
    for image in ("exe", "high"), ("dll", "ntdll"), ("dll", "high"), ("dll", "narrow"), ("dll", "low"):
        assert len({found[image][0] for found in boots}) > 1, f"{image} was at one place in all boots"
    for kind in "narrow", "low":  # the other one runs all the time
        assert any(len(set(found["exe", kind])) > 1 for found in boots), f"{kind}.exe was at one place each time"


def test_off(boot, volume):
    """aslr=off: everything is where it was linked."""
    found = bases(boot, volume=volume, ram="64M", options="aslr=off")
    assert set(found["exe", "high"] + found["exe", "narrow"]) == {EXE_BASE}
    assert set(found["exe", "low"]) == {LOW_BASE["exe"]} and set(found["dll", "low"]) == {LOW_BASE["dll"]}
    assert found["dll", "high"][0] == DLL_BASE
