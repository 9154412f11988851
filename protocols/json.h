/*
 * Texts in JSON (RFC 8259), of bytes that may be anything: what comes out is UTF-8 in
 * any case, has no control byte in it, and is one line.
 */
#ifndef PROTOCOLS_JSON_H
#define PROTOCOLS_JSON_H

#include "protocols/slice.h"

/*
 * Writes what stands between the quotes to `out`, not beyond `end`, and returns where
 * it stops: what does not fit whole is cut. Quotes, backslashes and control characters,
 * those of terminals from U+0080 to U+009F too, are written as escapes; bytes that are
 * no UTF-8 as \ufffd, U+FFFD.
 */
char *json_escape(char *out, const char *end, struct slice text);

/* The same with its quotes, for which there must be room beyond `end`: two bytes; null,
 * for which there must be four, where the slice is of NULL. */
char *json_text(char *out, const char *end, struct slice text);

#endif
