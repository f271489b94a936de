"""Imports of what the system's own DLLs export, which the pager fills in (kernel/image/bind.h): when the loader must not believe
it, because the DLL of that name is another one, and what it says of a function that is not there. Built by mingw-w64."""

import subprocess

import pytest

TOOLS = "x86_64-w64-mingw32-"

# A program that imports kernel32.dll alone, so that it can load a msvcrt.dll of its own before anybody loads the system's.
MAIN = r"""
#include <windows.h>
static void say(const char *text)
{
	DWORD done;
	WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, lstrlenA(text), &done, NULL);
}
void start(void)
{
	HMODULE own = LoadLibraryA("C:\\own\\msvcrt.dll"), user = LoadLibraryA("C:\\user.dll");
	int (*call)(int) = user ? (int (*)(int))(void *)GetProcAddress(user, "call") : NULL;

	if (own && call && call(-5) == 42)
		say("main: its own DLL\r\n");
	else if (call && call(-5) == 5)
		say("main: the system's DLL\r\n");
	else
		say("main: neither\r\n");
	ExitProcess(0);
}
"""
OWN = "__declspec(dllexport) int abs(int n) { (void)n; return 42; }"
USER = "int abs(int n); __declspec(dllexport) int call(int n) { return abs(n); }"
MISSING = "__declspec(dllimport) int no_such_function(void); int main(void) { return no_such_function(); }"


def compile_to(output, source, *flags, directory):
    (directory / "source.c").write_text(source)
    subprocess.run([TOOLS + "gcc", "-O1", "-fno-builtin", "source.c", *flags, "-o", output], check=True, cwd=directory)


def import_library(dll, *names, directory):
    (directory / "names.def").write_text("\n".join([f"LIBRARY {dll}", "EXPORTS", *names]))
    subprocess.run([TOOLS + "dlltool", "-d", "names.def", "-l", "libnames.a"], check=True, cwd=directory)


@pytest.fixture(scope="module")
def volume(builds, mingw, tmp_path_factory):
    directory = tmp_path_factory.mktemp("imports")
    dll = ["-nostdlib", "-shared", "-Wl,--entry=0"]
    (directory / "own").mkdir()
    compile_to("own/msvcrt.dll", OWN, *dll, directory=directory)
    import_library("msvcrt.dll", "abs", directory=directory)
    compile_to("user.dll", USER, *dll, "libnames.a", directory=directory)
    compile_to("main.exe", MAIN, "-nostdlib", "-Wl,--entry=start", "-lkernel32", directory=directory)
    import_library("msvcrt.dll", "no_such_function", directory=directory)
    compile_to("missing.exe", MISSING, "libnames.a", directory=directory)
    image = directory / "volume.img"
    builds.copy_image(builds.get("release").image, image)
    builds.mtools("mcopy", "-s", "-i", image, directory / "own", *directory.glob("*.exe"), directory / "user.dll", "::/")
    return image


def test_own_dll(boot, volume):
    """A DLL that is named like one of the system's, and was loaded by its path, is what others import from."""
    boot(volume=volume, run="\\main").expect("main: its own DLL")


def test_system_dll(boot, builds, volume, tmp_path):
    """The same program, where its own DLL is not there."""
    image = tmp_path / "volume.img"
    builds.copy_image(volume, image)
    builds.mtools("mdel", "-i", image, "::/own/msvcrt.dll")
    boot(volume=image, run="\\main").expect("main: the system's DLL")


def test_missing_function(boot, volume):
    boot(volume=volume, console=b"\\missing\n", code=99).expect(r"missing\.exe: msvcrt\.dll has no function no_such_function")


@pytest.mark.parametrize("mode", ["unix", "none"])
def test_replaced_dll(boot, volume, mode):
    """Where a DLL of the system can be replaced while it runs, programs use the new one, which is at another place."""
    change = {"unix": r"mv C:\new.dll C:\system\msvcrt.dll", "none": r"cp C:\new.dll C:\system\msvcrt.dll"}
    commands = [r"cp C:\system\msvcrt.dll C:\new.dll", change[mode], "hello", "exit 0"]
    boot(volume=volume, options=f"image-lock={mode} check=exit", build="debug", swap="16M", cpus=4,
         console="".join(f"{c}\n" for c in commands).encode()).expect(r"^Hello from process")
