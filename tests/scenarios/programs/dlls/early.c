/* Loaded by middle.dll's DllMain before the program begins: nobody imports it. */
#include "log.h"

DLL_MAIN("early")
