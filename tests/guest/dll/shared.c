/* A DLL for tests/guest/image_shared.c: a section that all processes share (IMAGE_SCN_MEM_SHARED), and one of their own. */
#include <windows.h>

#define SHARED __attribute__((section(".shr"), shared))

__declspec(dllexport) volatile LONG shared_value SHARED = 5;
__declspec(dllexport) volatile char shared_pages[3 * 4096] SHARED = { 1 };
__declspec(dllexport) volatile LONG own_value = 5;
__declspec(dllexport) volatile char own_pages[2 * 4096] __attribute__((aligned(4096))) = { 1 };
