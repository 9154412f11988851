/*
 * UTF-8 (RFC 3629), checked as it comes: no overlong forms, no surrogates, nothing
 * above U+10FFFF.
 */
#ifndef WEBSOCKET_UTF8_H
#define WEBSOCKET_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: the begin of a text. */
struct utf8 {
	uint8_t left; /* bytes that the character lacks */
	uint8_t low, high; /* between which the next one of them must be */
};

/* False: this cannot become UTF-8. */
bool utf8_feed(struct utf8 *u, const uint8_t *bytes, size_t n);

/* No character is incomplete. */
bool utf8_is_complete(const struct utf8 *u);

#endif
