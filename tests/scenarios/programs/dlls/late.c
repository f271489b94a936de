/* Loaded when it is first called (delay import), or by LoadLibrary. */
#include "log.h"

int late_value(int x) { return x * 3; }

DLL_MAIN("late")
