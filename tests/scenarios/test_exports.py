"""What programs import, our DLLs export: checked on the files, without a machine.

A program that imports a function that is missing does not start at all, so this looks at every program of the volume,
at the DLLs themselves (their imports and where their forwarders lead), and at ordinary programs compiled here and now.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = "x86_64-w64-mingw32-"

INCLUDES = """
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <process.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <windows.h>
"""

# Name: what a function does. argc and argv are there; volatile d is 1.5, so that the compiler calculates nothing itself.
SAMPLES = {
    "hello": 'printf("hello %d %s\\n", argc, argv[0]);',
    "memory": 'char *p = malloc(100); p = realloc(p, 200); strcpy(p, argv[0]); free(p); free(calloc(3, 4));',
    "float": 'printf("%f %g %e %.3f\\n", d, d * 2, d / 3, strtod(argv[0], NULL)); return (int)atof("1.5");',
    "math": 'd = sin(d) + cos(d) + tan(d) + asin(d) + acos(d) + atan(d) + atan2(d, d) + sinh(d) + cosh(d) + tanh(d);'
            'd += exp(d) + log(d) + log10(d) + pow(d, d) + sqrt(d) + fmod(d, d) + floor(d) + ceil(d) + fabs(d);'
            'd += ldexp(d, 3) + hypot(d, d) + round(d) + trunc(d) + cbrt(d) + log2(d); int e; d = frexp(d, &e);'
            'd += modf(d, (double *)&d);',
    "sort": 'int v[3] = { 3, 1, 2 }; int compare(const void *a, const void *b) { return *(int *)a - *(int *)b; }'
            'qsort(v, 3, sizeof(int), compare); printf("%p\\n", bsearch(v, v, 3, sizeof(int), compare)); srand(1);'
            'printf("%d\\n", rand());',
    "file": 'char line[80]; FILE *f = fopen(argv[0], "rb"); if (!f) { perror("fopen"); return 1; }'
            'fread(line, 1, 80, f); fseek(f, 0, SEEK_SET); printf("%ld\\n", ftell(f)); fgets(line, 80, f); fgetc(f);'
            'ungetc(1, f); rewind(f); setvbuf(f, NULL, _IONBF, 0); printf("%d %d\\n", feof(f), ferror(f)); fclose(f);',
    "input": 'char line[80]; int n; if (scanf("%d", &n) == 1) printf("%d\\n", n); fgets(line, 80, stdin); getchar();'
             'sscanf(line, "%79s %d", line, &n); puts(line); putchar(10); fputs(line, stderr);'
             'fwrite(line, 1, 1, stdout);',
    "string": 'char b[99] = "a,b"; strcat(b, argv[0]); strncat(b, b, 1); strncpy(b, argv[0], 9); strtok(b, ",");'
              'printf("%d %d %p %p %p\\n", strcmp(b, argv[0]), strncmp(b, argv[0], argc), strchr(b, argc),'
              'strrchr(b, 44), strstr(b, argv[0])); memmove(b, b + 1, argc);'
              'printf("%d %p %s\\n", memcmp(b, argv[0], argc), memchr(b, 1, argc), strerror(errno));'
              'printf("%d\\n", (int)(strspn(b, "a") + strcspn(b, "b")));'
              'free(strdup(b)); printf("%d %d %p\\n", stricmp(b, argv[0]), toupper(argc), strpbrk(b, argv[0]));'
              'printf("%d%d%d%d\\n", isalpha(argc), isdigit(argc), isspace(argc), ispunct(argc));',
    "number": 'printf("%ld %lu %lld %d\\n", strtol(argv[0], NULL, 0), strtoul(argv[0], NULL, 16),'
              'strtoll(argv[0], NULL, 10), atoi(argv[0]));'
              'printf("%llu %d\\n", strtoull(argv[0], NULL, 10), abs(argc));',
    "time": 'time_t t = time(NULL); struct tm *tm = localtime(&t); char b[80]; strftime(b, 80, "%Y-%m-%d", tm);'
            'puts(b);'
            'printf("%s %s %ld %lld\\n", asctime(tm), ctime(&t), (long)clock(), (long long)mktime(gmtime(&t)));',
    "jump": 'static jmp_buf jump; if (!setjmp(jump)) longjmp(jump, 1);',
    "signal": 'void handler(int s) { exit(s); } signal(SIGINT, handler); signal(SIGSEGV, handler); atexit(abort);',
    "environment": 'char *p = getenv("PATH"); puts(p ? p : "none"); putenv("A=b"); setlocale(LC_ALL, "");',
    "wide": 'wchar_t w[20] = L"x"; wcscat(w, L"y"); wprintf(L"%ls %d\\n", w, (int)wcslen(w)); mbstowcs(w, argv[0], 20);'
            'fputws(w, stdout); printf("%d %ld\\n", wcscmp(w, L"a"), wcstol(w, NULL, 10));',
    "thread": 'HANDLE t = (HANDLE)_beginthreadex(NULL, 0, NULL, NULL, 0, NULL); WaitForSingleObject(t, INFINITE);'
              't = CreateThread(NULL, 0, NULL, NULL, 0, NULL); CloseHandle(t); Sleep(1);',
    "pager": 'HANDLE s = CreateFileMapping(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 65536, "x");'
             'char *p = MapViewOfFile(s, FILE_MAP_ALL_ACCESS, 0, 0, 0); DWORD old; MEMORY_BASIC_INFORMATION m;'
             'p = VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); VirtualQuery(p, &m, sizeof(m));'
             'VirtualProtect(p, 4096, PAGE_READONLY, &old); VirtualFree(p, 0, MEM_RELEASE); UnmapViewOfFile(p);'
             'p = HeapAlloc(GetProcessHeap(), 0, 10); HeapFree(GetProcessHeap(), 0, p);'
             'MEMORYSTATUSEX status = { sizeof(status) }; GlobalMemoryStatusEx(&status);'
             'SYSTEM_INFO i; GetSystemInfo(&i); printf("%lu\\n", GetLastError());',
    "process": 'STARTUPINFO s = { sizeof(s) }; PROCESS_INFORMATION p; DWORD code;'
               'CreateProcess(NULL, GetCommandLine(), NULL, NULL, FALSE, 0, NULL, NULL, &s, &p);'
               'WaitForSingleObject(p.hProcess, INFINITE); GetExitCodeProcess(p.hProcess, &code); ExitProcess(code);',
}

# The same for programs that are linked with more libraries: (flags, libraries, body).
LIBRARY_SAMPLES = {
    "psapi": (["-DPSAPI_VERSION=1"], ["-lpsapi"],
              'DWORD n; char b[99]; PROCESS_MEMORY_COUNTERS c; HMODULE m; MODULEINFO i; PERFORMANCE_INFORMATION f;'
              'HANDLE p = GetCurrentProcess(); EnumProcesses(&n, 4, &n); EnumProcessModules(p, &m, 8, &n);'
              'EnumProcessModulesEx(p, &m, 8, &n, 3); GetModuleBaseNameA(p, m, b, 9); GetModuleFileNameExA(p, m, b, 9);'
              'GetModuleInformation(p, m, &i, 24); EmptyWorkingSet(p); QueryWorkingSet(p, b, 99);'
              'QueryWorkingSetEx(p, b, 99); GetMappedFileNameA(p, b, b, 99); GetProcessImageFileNameA(p, b, 99);'
              'GetProcessMemoryInfo(p, &c, 72); GetPerformanceInfo(&f, 104); EnumPageFilesA(NULL, NULL);'),
    "mincore": (["-DNTDDI_VERSION=0x0A000006"], ["-lmincore"],
                'HANDLE p = GetCurrentProcess(); char *v = VirtualAlloc2FromApp(p, NULL, 1, 0, 1, NULL, 0); ULONG old;'
                'VirtualAllocFromApp(v, 1, 0, 1); VirtualProtectFromApp(v, 1, 1, &old); VirtualUnlockEx(p, v, 1);'
                'MapViewOfFile3FromApp(p, p, v, 0, 1, 0, 1, NULL, 0);'
                'UnmapViewOfFile2(p, v, 0); UnmapViewOfFileEx(v, 0); VirtualLock(v, 1); VirtualUnlock(v, 1);'
                'DiscardVirtualMemory(v, 1); OfferVirtualMemory(v, 1, 1); ReclaimVirtualMemory(v, 1);'
                'PrefetchVirtualMemory(p, 0, NULL, 0); GetLargePageMinimum(); ResetWriteWatch(v, 1);'
                'CreateFileMappingFromApp(p, NULL, 1, 1, NULL); OpenFileMappingFromApp(1, 0, NULL);'
                'MapViewOfFileFromApp(p, 1, 0, 1); FlushViewOfFile(v, 1); WriteProcessMemory(p, v, v, 1, NULL);'),
    "advapi32": ([], ["-ladvapi32"],
                 'HANDLE t; OpenProcessToken(GetCurrentProcess(), 1, &t); OpenThreadToken(t, 1, 1, &t); LUID l; BOOL b;'
                 'LookupPrivilegeValueA(NULL, "x", &l); LookupPrivilegeValueW(NULL, L"x", &l);'
                 'AdjustTokenPrivileges(t, 0, NULL, 0, NULL, NULL); PrivilegeCheck(t, NULL, &b);'),
    "kernel32": (["-DNTDDI_VERSION=0x0A000006"], [],
                 'HANDLE p = GetCurrentProcess(); SIZE_T a, b; DWORD f; ULONG_PTR n = 1; PVOID w; ULONGLONG q; UCHAR c;'
                 'VirtualAllocExNuma(p, 0, 1, 0, 0, 0); GetWriteWatch(0, 0, 1, &w, &n, &f);'
                 'SetThreadStackGuarantee(&f);'
                 'SetProcessWorkingSetSizeEx(p, 1, 1, 0); GetProcessWorkingSetSizeEx(p, &a, &b, &f);'
                 'AllocateUserPhysicalPages(p, &n, &n); AllocateUserPhysicalPagesNuma(p, &n, &n, 0);'
                 'MapUserPhysicalPages(w, n, &n); MapUserPhysicalPagesScatter(&w, n, &n);'
                 'FreeUserPhysicalPages(p, &n, &n);'
                 'CreateFileMappingNumaA(p, NULL, 1, 0, 1, NULL, 0); MapViewOfFileExNuma(p, 1, 0, 0, 1, NULL, 0);'
                 'MEMORYSTATUS s; GlobalMemoryStatus(&s); GetPhysicallyInstalledSystemMemory(&q);'
                 'GetNumaHighestNodeNumber(&f); GetNumaAvailableMemoryNode(0, &q); GetNumaProcessorNode(0, &c);'
                 'GetNumaNodeProcessorMask(0, &q);'),
}

C99_PRINTF = "-D__USE_MINGW_ANSI_STDIO=1"


def dump(path):
    return subprocess.run([TOOLS + "objdump", "-p", path], check=True, capture_output=True, text=True).stdout


def imports_of(path):
    """{dll in lower case: names}"""
    found = {}
    names = None
    for line in dump(path).splitlines():
        dll = re.match(r"\s*DLL Name: (\S+)", line)
        if dll:
            names = found.setdefault(dll[1].lower(), set())
        elif names is not None:
            entry = re.match(r"\t[0-9a-f]+\t\s*(?:\d+|<none>)\s+(\S+)", line)
            if entry:
                names.add(entry[1])
            elif re.match(r"\S", line):
                names = None
    return found


def exports_of(path):
    """(names, targets of forwarders)"""
    text = dump(path)
    names = set(re.findall(r"^\t\[ *\d+\] (?:\+base\[ *\d+\] +[0-9a-f]{4} )?(\w\S*)$", text, re.M))
    return names, set(re.findall(r"Forwarder RVA -- (\S+)", text))


@pytest.fixture(scope="module")
def directory(builds):
    return builds.get("release").directory


@pytest.fixture(scope="module")
def exports(directory):
    return {path.name: exports_of(path)[0] for path in (directory / "dll").glob("*.dll")}


def aliases():
    """The table of names that stand for a DLL of ours: (name, or its beginning up to a hyphen; the DLL)."""
    table = (ROOT / "kernel/abi/dll_alias.h").read_text()
    found = re.findall(r'X\("([^"]+)", BS_KNOWN_(\w+)\)', table)
    assert found
    return [(name, f"{target.lower()}.dll") for name, target in found]


def resolve(dll):
    for name, target in aliases():
        if dll == name or (name.endswith("-") and dll.startswith(name)):
            return target
    return dll


def assert_resolved(path, exports):
    for dll, names in imports_of(path).items():
        dll = resolve(dll)
        assert dll in exports, f"{path.name} imports {dll}, which is not there"
        missing = sorted(names - exports[dll])
        assert not missing, f"{path.name}: {dll} has no {', '.join(missing)}"


def test_dlls(directory, exports):
    assert set(exports) == {"ntdll.dll", "kernel32.dll", "msvcrt.dll"}
    for name in exports:
        path = directory / "dll" / name
        assert_resolved(path, exports)
        for target in exports_of(path)[1]:
            dll, _, function = target.rpartition(".")
            assert function in exports[dll.lower() + ".dll"], f"{name} forwards to {target}"
    assert not imports_of(directory / "dll/ntdll.dll")


def test_system_calls(exports):
    header = (ROOT / "kernel/abi/syscalls.h").read_text()
    calls = set(re.findall(r"X\(\d+, (\w+), \d+\)", header))
    assert calls and calls <= exports["ntdll.dll"]
    assert {name for name in exports["ntdll.dll"] if re.match(r"(Nt|Bs)[A-Z]", name)} == calls


FILE_CALLS = """ReadFile WriteFile SetFilePointer SetFilePointerEx SetEndOfFile GetFileSize GetFileSizeEx GetFileType
    GetFileInformationByHandle GetFileInformationByHandleEx SetFileInformationByHandle FlushFileBuffers GetFileTime SetFileTime
    LockFile LockFileEx UnlockFile UnlockFileEx FindClose GetOverlappedResult CreatePipe ConnectNamedPipe DisconnectNamedPipe
    PeekNamedPipe SetNamedPipeHandleState GetNamedPipeInfo GetLogicalDrives FlushViewOfFile""".split()
FILE_CALLS_BOTH = """CreateFile DeleteFile MoveFile MoveFileEx CopyFile CreateDirectory RemoveDirectory FindFirstFile FindFirstFileEx
    FindNextFile GetFileAttributes GetFileAttributesEx SetFileAttributes GetFullPathName GetLongPathName GetShortPathName GetTempPath
    GetTempFileName GetDiskFreeSpace GetDiskFreeSpaceEx GetCurrentDirectory SetCurrentDirectory CreateNamedPipe WaitNamedPipe
    GetNamedPipeHandleState GetVolumeInformation GetDriveType GetLogicalDriveStrings SearchPath""".split()


def test_file_calls(exports):
    """Those that take names or text are there in both forms."""
    wanted = FILE_CALLS + [name + form for name in FILE_CALLS_BOTH for form in "AW"]
    assert not sorted(set(wanted) - set(exports["kernel32.dll"]))


def test_programs(directory, exports):
    volume = directory / "volume"
    programs = sorted(volume.rglob("*.exe"))
    dlls = {path.name.lower(): exports_of(path)[0] for path in volume.rglob("*.dll")}
    assert programs
    for path in programs:
        assert_resolved(path, {**dlls, **exports})


@pytest.mark.parametrize("flags", [["-O0", "-g"], ["-O2"], ["-O2", C99_PRINTF]], ids=["O0", "O2", "c99"])
def test_samples(exports, tmp_path, flags):
    source, program = tmp_path / "samples.c", tmp_path / "samples.exe"
    functions = [f"static int sample_{name}(int argc, char **argv)\n{{\n(void)argc, (void)argv;\n{body}\nreturn 0;\n}}\n"
                 for name, body in SAMPLES.items()]
    table = ", ".join(f"sample_{name}" for name in SAMPLES)
    source.write_text(f"{INCLUDES}static volatile double d = 1.5;\n{''.join(functions)}"
                      f"int (*volatile samples[])(int, char **) = {{ {table} }};\n"
                      "int main(int argc, char **argv)\n{\nreturn samples[argc](argc, argv);\n}\n")
    subprocess.run([TOOLS + "gcc", "-w", *flags, source, "-o", program], check=True, capture_output=True)
    assert_resolved(program, exports)
    assert len(imports_of(program)["msvcrt.dll"]) > 100


@pytest.mark.parametrize("name", LIBRARY_SAMPLES)
def test_libraries(exports, tmp_path, name):
    flags, libraries, body = LIBRARY_SAMPLES[name]
    source = tmp_path / f"{name}.c"
    program = tmp_path / f"{name}.exe"
    source.write_text(f"{INCLUDES}#include <psapi.h>\nint main(void)\n{{\n{body}\nreturn 0;\n}}\n")
    subprocess.run([TOOLS + "gcc", "-w", *flags, source, *libraries, "-o", program], check=True, capture_output=True)
    assert_resolved(program, exports)
