/* The smallest useful program: what it was given, and where it is. Nothing here knows Backstore. */
#include <stdio.h>
#include <windows.h>

int main(int argc, char **argv)
{
	printf("Hello from process %lu.\n", GetCurrentProcessId());
	for (int i = 0; i < argc; i++)
		printf("argument %d: %s\n", i, argv[i]);
	printf("image at %p, main at %p, stack at %p\n", (void *)GetModuleHandleA(NULL), (void *)(size_t)main,
	       (void *)&argc);
	return 0;
}
