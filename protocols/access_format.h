/*
 * The format of the lines of an access log: text with atoms in it, %(h)s or
 * %({Name}i)s, as gunicorn and, before it, Apache have them. The text is taken apart
 * here, and values are made fit to stand in a line; what an atom stands for is known to
 * the caller.
 */
#ifndef PROTOCOLS_ACCESS_FORMAT_H
#define PROTOCOLS_ACCESS_FORMAT_H

#include "protocols/slice.h"

struct access_part {
	char atom; /* 'h' of %(h)s, 'i' of %({Name}i)s; 0: text that stands for itself
		    */
	struct slice
		text; /* that text, or the name in braces: empty where there is none */
};

/* %(id)s, the one of more letters that means something; others do to nobody. */
#define ACCESS_ID '#'
#define ACCESS_NO_ATOM '?'

/* Takes the next part off the format: 1. 0: it has ended. -1: it is broken, and *reason
 * says where. */
int access_format_next(
	struct slice *format, struct access_part *part, const char **reason);

/* NULL, or what is wrong with a format. */
const char *access_format_check(const char *format);

/*
 * Writes a value to `out`, not beyond `end`, and returns where it stops. Control bytes,
 * quotes, backslashes and all that is not ASCII are written as \xNN: no value can end a
 * field or a line, or speak to a terminal. What does not fit is cut.
 */
char *access_escape(char *out, const char *end, struct slice value);

/* The user's name in a field of Basic authorization (RFC 7617), cut to the room; its
 * length, 0 when there is none. */
size_t access_basic_user(struct slice field, char *name, size_t room);

#endif
