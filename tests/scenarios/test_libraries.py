"""Programs of every age, as mingw-w64 builds them: linked with libraries whose DLLs are no files here."""

import subprocess

import pytest

HEADER = '#include <stdio.h>\n#include <windows.h>\n#include <psapi.h>\nint main(void)\n{\n'

# A name: the compiler's options, the libraries, what main does; it prints "works".
PROGRAMS = {
    "psapi": (["-DPSAPI_VERSION=1"], ["-lpsapi"],
              'PROCESS_MEMORY_COUNTERS c; char name[99]; PERFORMANCE_INFORMATION p;'
              'PSAPI_WORKING_SET_EX_INFORMATION page = { name, { 0 } };'
              'if (GetProcessMemoryInfo(GetCurrentProcess(), &c, sizeof(c)) && c.WorkingSetSize &&'
              ' QueryWorkingSetEx(GetCurrentProcess(), &page, sizeof(page)) && page.VirtualAttributes.Valid &&'
              ' GetMappedFileNameA(GetCurrentProcess(), GetModuleHandle(NULL), name, 99) &&'
              ' GetPerformanceInfo(&p, sizeof(p)) && EmptyWorkingSet(GetCurrentProcess())) puts("works");'),
    "mincore": (["-DNTDDI_VERSION=0x0A000006"], ["-lmincore"],
                'char *p = VirtualAlloc2FromApp(NULL, NULL, 8192, MEM_RESERVE | 0x40000, PAGE_NOACCESS, NULL, 0),'
                ' *view;'
                'HANDLE s = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, NULL);'
                'if (p && VirtualFree(p, 4096, MEM_RELEASE | 2) &&'
                ' (view = MapViewOfFile3FromApp(s, NULL, p, 0, 4096, 0x4000, PAGE_READWRITE, NULL, 0)) == p) {'
                ' view[0] = 1; if (UnmapViewOfFile2(GetCurrentProcess(), view, 2)) puts("works"); }'),
    "advapi32": ([], ["-ladvapi32"],
                 'HANDLE t; TOKEN_PRIVILEGES p = { 1, { { { 0, 0 }, SE_PRIVILEGE_ENABLED } } };'
                 'ULONG_PTR n = 4, frames[4]; char *w = VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_PHYSICAL,'
                 ' PAGE_READWRITE);'
                 'if (OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &t) &&'
                 ' LookupPrivilegeValue(NULL, SE_LOCK_MEMORY_NAME, &p.Privileges[0].Luid) &&'
                 ' AdjustTokenPrivileges(t, FALSE, &p, 0, NULL, NULL) && !GetLastError() && CloseHandle(t) &&'
                 ' AllocateUserPhysicalPages(GetCurrentProcess(), &n, frames) && MapUserPhysicalPages(w, n, frames)) {'
                 ' w[4 * 4096 - 1] = 1; puts("works"); }'),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(boot, builds, mingw, tmp_path, name):
    options, libraries, body = PROGRAMS[name]
    source, program, image = tmp_path / "program.c", tmp_path / "program.exe", tmp_path / "volume.img"
    source.write_text(HEADER + body + "\nreturn 0;\n}\n")
    subprocess.run([mingw, "-Wall", "-Werror", *options, source, *libraries, "-o", program], check=True)
    builds.copy_image(builds.get("release").image, image)
    builds.mtools("mcopy", "-o", "-i", image, program, "::/program.exe")
    boot(volume=image, run="\\program").expect(r"^works$")
