/*
 * A slice is a view of bytes that somebody else owns. It is passed by value, is never
 * NUL-terminated, and lives no longer than what it points into. Everything that came
 * from a peer is handled as a slice.
 */
#ifndef PROTOCOLS_SLICE_H
#define PROTOCOLS_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char *ptr;
	size_t len;
};

/* A slice of a string literal; also an initialiser of static data. */
/* clang-format off */
#define SLICE_INIT(literal) { (literal), sizeof(literal) - 1 }
/* clang-format on */
#define SLICE(literal) ((struct slice)SLICE_INIT(literal))

/* For printf: printf("%" SLICE_FMT, SLICE_ARG(s)). */
#define SLICE_FMT ".*s"
#define SLICE_ARG(s) (int)(s).len, (s).ptr

static inline struct slice
slice_of(const char *ptr, size_t len)
{
	return (struct slice){ ptr, len };
}

static inline struct slice
slice_str(const char *string)
{
	return (struct slice){ string, strlen(string) };
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The first bytes may be one letter. To look here costs less than a call, and most
 * names of one length are told apart by it. */
static inline bool
slice_begin_alike(const char *a, const char *b)
{
	return ((*a ^ *b) & ~('a' ^ 'A')) == 0;
}

/* ASCII only: the program runs in the C locale's rules for ctype. */
static inline bool
slice_caseeq(struct slice a, struct slice b)
{
	return a.len == b.len &&
		(a.len == 0 ||
			(slice_begin_alike(a.ptr, b.ptr) &&
				strncasecmp(a.ptr, b.ptr, a.len) == 0));
}

static inline bool
slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq(slice_of(s.ptr, prefix.len), prefix);
}

/* Takes the first n bytes off; n must not be greater than the length. */
static inline void
slice_advance(struct slice *s, size_t n)
{
	s->ptr += n;
	s->len -= n;
}

/* Without the SP and HTAB at both ends (OWS, RFC 9110 section 5.6.3). */
static inline struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		slice_advance(&s, 1);
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

#endif
