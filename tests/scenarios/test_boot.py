"""Starting: options, exit codes, the console's input, files put on the volume, and everything that can be wrong."""

import struct
import subprocess

import pytest
from machine import MachineError

EXIT_BAD_OPTION, EXIT_NO_KERNEL, EXIT_BAD_KERNEL, EXIT_NO_MEMORY = 110, 111, 112, 113
EXIT_BAD_CONFIG, EXIT_NO_FIRST_PROGRAM = 114, 116


@pytest.fixture
def altered(builds, tmp_path):
    """A copy of the system volume, to be altered: path, and a function that puts a file on it."""
    image = tmp_path / "altered.img"
    builds.copy_image(builds.get("release").image, image)

    def put(name, contents):
        file = tmp_path / "file"
        file.write_bytes(contents)
        builds.mtools("mcopy", "-o", "-i", image, file, f"::/{name}")

    def remove(name):
        builds.mtools("mdel", "-i", image, f"::/{name}")

    return image, put, remove


@pytest.fixture
def kernel(builds):
    return bytearray((builds.get("release").directory / "volume/kernel.elf").read_bytes())


def test_exit_code(boot):
    boot(code=7, console=b"exit 7\n")
    run = boot(code=0, run="hello")
    run.expect(r"^Hello from process \d+\.$")


def test_exit_code_of_a_fault(boot):
    """Codes above 99 are shown as 99; the shell names the exception."""
    run = boot(code=99, run="fault_exit child read")
    assert "panic" not in run.output()


@pytest.mark.parametrize("option, said", [
    ("swap=", "swap"), ("mem=lots", "mem"), ("commit=maybe", "commit"), ("aslr=perhaps", "aslr"),
    ("check=always", "check"), ("swap=ramdisk:x", "swap"), ("log=loud", "log"), ("run=" + "x" * 1100, "run"),
])
def test_bad_option(boot, option, said):
    run = boot(code=EXIT_BAD_OPTION, options=option)
    run.expect(rf"{said}=.*allowed")


def test_unknown_option_is_a_warning(boot):
    run = boot(options="colour=blue", run="hello")
    run.expect(r"colour")
    run.expect(r"^Hello from process")


def test_not_a_volume_to_boot_from(machine, tmp_path):
    """The firmware would wait for somebody to type what to boot."""
    file = tmp_path / "text"
    file.write_text("no volume\n")
    for path in file, tmp_path:
        with pytest.raises(MachineError, match="is no FAT32 volume to boot from"):
            machine(volume=path).start()


def test_missing_paging_file_is_a_warning(boot):
    run = boot(options="swap=nowhere", run="hello")
    run.expect(r"swap=nowhere")
    run.expect(r"^Hello from process")


@pytest.mark.parametrize("program", ["no_such_program", "backstore.cfg", "C:\\nowhere\\x"])
def test_no_first_program(boot, program):
    run = boot(code=EXIT_NO_FIRST_PROGRAM, run=program)
    run.expect(r"first program")


def test_too_little_memory(boot):
    run = boot(code=EXIT_NO_MEMORY, options="mem=1M")
    run.expect(r"memory")


@pytest.mark.parametrize("name, code", [("kernel.elf", EXIT_NO_KERNEL), ("backstore.cfg", EXIT_BAD_CONFIG)])
def test_missing_file(boot, altered, name, code):
    image, _, remove = altered
    remove(name)
    run = boot(code=code, volume=image)
    run.expect(name)


def damage(kernel, format, offset, value):
    struct.pack_into("<" + format, kernel, offset, value)
    return bytes(kernel)


# Offsets in the ELF header and the first program header. Source: System V ABI, "ELF Header", "Program Header".
@pytest.mark.parametrize("alter", [
    lambda k: b"", lambda k: bytes(k[:40]), lambda k: bytes(k[:len(k) // 2]), lambda k: b"\x7fELG" + bytes(k[4:]),
    lambda k: damage(k, "H", 18, 0xb7), lambda k: damage(k, "B", 4, 1), lambda k: damage(k, "Q", 32, 1 << 40),
    lambda k: damage(k, "H", 56, 0xffff), lambda k: damage(k, "Q", 24, 0x1000),
    lambda k: damage(k, "Q", 64 + 8, 1 << 50), lambda k: damage(k, "Q", 64 + 40, 1 << 50),
    lambda k: damage(k, "Q", 64 + 16, 0x1000),
    lambda k: b"This is a text.\n" * 1000,
], ids=["empty", "header-cut", "half", "magic", "machine", "32-bit", "headers-far", "header-count", "entry", "data-far",
        "too-large", "user-address", "text"])
def test_damaged_kernel(boot, altered, kernel, alter):
    image, put, _ = altered
    put("kernel.elf", alter(kernel))
    run = boot(code=EXIT_BAD_KERNEL, volume=image)
    run.expect(r"kernel\.elf")


@pytest.mark.parametrize("contents", [b"a" * (1 << 20), b"swap=none\0\n"], ids=["too-large", "not-a-text"])
def test_bad_config(boot, altered, contents):
    image, put, _ = altered
    put("backstore.cfg", contents)
    run = boot(code=EXIT_BAD_CONFIG, volume=image)
    run.expect(r"backstore\.cfg")


def test_config_is_used_and_options_win(boot, altered):
    image, put, _ = altered
    put("backstore.cfg", b"# a comment\nrun=\"hello from the file\"\naslr=off # another\n")
    boot(volume=image).expect(r"^argument 3: file$")
    boot(volume=image, run="hello from the option").expect(r"^argument 3: option$")


def test_plain_program(boot, builds, altered, mingw, tmp_path):
    """A program as mingw-w64 builds it, with no header or library of ours."""
    image, put, _ = altered
    source = tmp_path / "plain.c"
    source.write_text('#include <stdio.h>\n#include <stdlib.h>\n#include <windows.h>\n'
                      'int main(int argc, char **argv)\n{\n'
                      '\tchar *p = malloc(100000);\n\tHANDLE s = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, '
                      'PAGE_READWRITE, 0, 65536, NULL);\n\tchar *v = MapViewOfFile(s, FILE_MAP_WRITE, 0, 0, 0);\n'
                      '\tp[99999] = v[1] = 3;\n\tprintf("%s %d %.3f\\n", argv[argc - 1], p[99999] + v[1], 1.5);\n'
                      '\treturn 5;\n}\n')
    for options in [], ["-O2", "-static"], ["-O0", "-s"]:
        program = tmp_path / "plain.exe"
        subprocess.run([mingw, *options, "-o", program, source], check=True)
        put("plain.exe", program.read_bytes())
        run = boot(code=5, volume=image, run="plain works")
        run.expect(r"^works 6 1\.500$")
