/*
 * Process titles, as ps shows them: "alicorn: worker shop". The text is written over
 * the program's arguments and environment, which are copied away first.
 */
#ifndef COMMON_TITLE_H
#define COMMON_TITLE_H

/* To be called first in main(); from then on argv and environ are copies. Returns the
 * copy of argv. */
char **title_init(int argc, char **argv);

/* The name before the colon; "alicorn" at first, and for NULL. The text is not copied.
 */
void title_name(const char *name);

void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
