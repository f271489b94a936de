/* Imports from base by name, ordinal and as data; exports one of it again, as a forwarder. */
#include "log.h"

__declspec(dllimport) extern int base_data;
int base_named(void);
int base_ordinal(void);

int middle_sum(void) { return base_named() + 10 * base_ordinal() + 100 * base_data; }

DLL_MAIN("middle")
