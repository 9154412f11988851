#include "protocols/buffer.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_FIRST = 256 };

void
buffer_init(struct buffer *b, size_t limit)
{
	*b = (struct buffer){ .limit = limit };
}

void
buffer_release(struct buffer *b)
{
	free(b->ptr);
	buffer_init(b, b->limit);
}

void
buffer_reset(struct buffer *b)
{
	b->len = 0;
	b->failed = false;
}

static bool
grow(struct buffer *b, size_t need)
{
	size_t cap = b->cap != 0 ? b->cap : BUFFER_FIRST;

	while (cap < need)
		cap *= 2;
	if (b->limit != 0 && cap > b->limit)
		cap = b->limit;
	char *ptr = realloc(b->ptr, cap);
	if (ptr == NULL)
		return false;
	b->ptr = ptr;
	b->cap = cap;
	return true;
}

char *
buffer_reserve(struct buffer *b, size_t n)
{
	size_t most = b->limit != 0 ? b->limit : (size_t)-1 / 4;

	if (b->failed)
		return NULL;
	if (n > most - b->len || (b->len + n > b->cap && !grow(b, b->len + n))) {
		b->failed = true;
		return NULL;
	}
	return b->ptr + b->len;
}

void
buffer_add(struct buffer *b, const void *ptr, size_t len)
{
	char *room = len != 0 ? buffer_reserve(b, len) : NULL;

	if (room == NULL)
		return;
	memcpy(room, ptr, len);
	b->len += len;
}

void
buffer_addf(struct buffer *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	/* One byte more, for the NUL that vsnprintf writes; it is not kept. */
	char *room = len >= 0 ? buffer_reserve(b, (size_t)len + 1) : NULL;
	if (room == NULL) {
		b->failed = true;
		return;
	}
	va_start(args, format);
	vsnprintf(room, (size_t)len + 1, format, args);
	va_end(args);
	b->len += (size_t)len;
}

void
buffer_consume(struct buffer *b, size_t n)
{
	b->len -= n;
	if (b->len != 0)
		memmove(b->ptr, b->ptr + n, b->len);
}
