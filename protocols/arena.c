#include "protocols/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum { ARENA_CHUNK = 8 * 1024 };

struct arena_chunk {
	struct arena_chunk *older;
	size_t size;
	alignas(max_align_t) char bytes[];
};

static struct arena_chunk *
add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *chunk = malloc(sizeof(*chunk) + size);

	if (chunk == NULL)
		return NULL;
	chunk->older = a->chunks;
	chunk->size = size;
	a->chunks = chunk;
	return chunk;
}

void
arena_release(struct arena *a)
{
	while (a->chunks != NULL) {
		struct arena_chunk *older = a->chunks->older;
		free(a->chunks);
		a->chunks = older;
	}
	*a = (struct arena){ 0 };
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__

char *
arena_bytes(struct arena *a, size_t n)
{
	struct arena_chunk *chunk = add_chunk(a, n);

	return chunk != NULL ? chunk->bytes : NULL;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	return arena_bytes(a, n);
}

void
arena_reset(struct arena *a)
{
	arena_release(a);
}

#else

char *
arena_bytes(struct arena *a, size_t n)
{
	if (n > a->left || a->chunks == NULL) {
		struct arena_chunk *chunk =
			add_chunk(a, n > ARENA_CHUNK ? n : ARENA_CHUNK);
		if (chunk == NULL)
			return NULL;
		a->next = chunk->bytes;
		a->left = chunk->size;
	}
	char *bytes = a->next;
	a->next += n;
	a->left -= n;
	return bytes;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	size_t misfit = (size_t)a->next % alignof(max_align_t);
	size_t pad = misfit != 0 ? alignof(max_align_t) - misfit : 0;

	if (n + pad > a->left) {
		a->left = 0; /* so that a new chunk is made, which begins aligned */
		return arena_bytes(a, n);
	}
	return arena_bytes(a, n + pad) + pad;
}

void
arena_reset(struct arena *a)
{
	while (a->chunks != NULL && a->chunks->older != NULL) {
		struct arena_chunk *older = a->chunks->older;
		free(a->chunks);
		a->chunks = older;
	}
	if (a->chunks != NULL) {
		a->next = a->chunks->bytes;
		a->left = a->chunks->size;
	}
}

#endif

char *
arena_strz(struct arena *a, struct slice s)
{
	char *copy = arena_bytes(a, s.len + 1);

	if (copy == NULL)
		return NULL;
	if (s.len != 0)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}
