/*
 * Test vectors: requests as text, in files under tests/vectors. The format:
 *
 *	# a comment
 *	=== name | the rule that it is about
 *	> 400 LF without CR		what is expected, a line each; the meaning is
 *	> limit fields 3		the test's
 *	GET / HTTP/1.1\r\n		the bytes: these lines, one after the other,
 *without
 *	X: {A*1000}\r\n			their own line ends; \r \n \t \\ \{ \xNN are
 *escapes, \n				{text*N} stands for N times the text
 *
 * Blank lines, and lines that begin with #, = or >, are not bytes.
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stddef.h>

#include "protocols/slice.h"

#ifndef TEST_VECTORS
#define TEST_VECTORS "tests/vectors"
#endif

enum { VECTOR_EXPECTS = 16 };

struct vector {
	char *name;
	char *expects[VECTOR_EXPECTS]; /* without "> " */
	size_t n_expects;
	struct slice raw;
};

typedef void vector_fn(const struct vector *v, void *arg);

/* Calls fn for all vectors of all files *.txt of a folder under TEST_VECTORS; returns
 * their number. A file that cannot be read, or is not of this format, fails the test.
 */
size_t vectors_each(const char *folder, vector_fn *fn, void *arg);

/* The same for the text of one file. */
size_t vectors_in(const char *text, vector_fn *fn, void *arg);

#endif
