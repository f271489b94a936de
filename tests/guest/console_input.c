/* Reading the console: lines by fgets, as the scenario types them: "first line", "second, longer line", and the end. */
#include "guest.h"

int main(void)
{
	char line[64] = "";
	ok(fgets(line, sizeof(line), stdin) && !strcmp(line, "first line\n"), "the first line");
	ok(fgets(line, sizeof(line), stdin) && !strcmp(line, "second, longer line\n"), "the second line");
	ok(!fgets(line, sizeof(line), stdin), "the end of the input");
	ok(!fgets(line, sizeof(line), stdin), "which stays");
	return tap_end();
}
