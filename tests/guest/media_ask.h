/* The host's part in tests of media: it is asked for something, does it, and answers with a line. */
#ifndef MEDIA_ASK_H
#define MEDIA_ASK_H

#include <stdio.h>

static inline void ask(const char *what)
{
	char line[64];
	printf("media: %s\n", what);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		printf("# no answer\n");
}

#endif
