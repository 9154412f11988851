/*
 * Scripts that were found below the root. For a second they are not looked for again;
 * the interpreter's cache does not look for two whether what it has compiled has
 * changed.
 */
#ifndef PHP_BINDING_SEEN_H
#define PHP_BINDING_SEEN_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds of a clock that costs nothing and is no more exact than that. */
int64_t seen_clock(void);

/* Whether the path was noted less than a second ago. */
bool seen_lately(const char *path);

void seen_note(const char *path);

void seen_release(void);

#endif
