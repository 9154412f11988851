/*
 * Settings of the application as values. What they may be was checked when the
 * configuration was read.
 */
#ifndef COMMON_OPTION_H
#define COMMON_OPTION_H

#include <stdbool.h>

/* 0 also without it. */
unsigned option_number(const char *name);

/* Of a number of seconds. */
unsigned option_milliseconds(const char *name);

bool option_is_true(const char *name);

const char *option_text(const char *name, const char *otherwise);

#endif
