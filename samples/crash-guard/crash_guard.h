/* Lets a program write its own minidump when it crashes. Link libcrash_guard.a. */

#ifndef CRASH_GUARD_H
#define CRASH_GUARD_H

#ifdef __cplusplus
extern "C" {
#endif

/* Has a minidump written to this path when the program crashes. Call it once, first in main, before there is a second
   thread. Returns 0, or -1 with a line on standard error. */
int crash_guard_attach(const char *path);

#ifdef __cplusplus
}
#endif

#endif
