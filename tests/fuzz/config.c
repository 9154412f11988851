/*
 * Configuration files: what is refused has a reason, and what is taken is printed as a
 * file that reads back the same.
 */
#include "gateway/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static struct config *
load(struct slice text)
{
	struct buffer errors = { 0 };
	char program[] = "alicorn", path[32];
	char *const words[] = { program, path, NULL };
	int fd = memfd_create("config", MFD_CLOEXEC);

	assert(fd != -1 && write(fd, text.ptr, text.len) == (ssize_t)text.len);
	snprintf(path, sizeof(path), "-c/proc/self/fd/%d", fd);
	struct config *c = config_load(2, words, NULL, &errors, NULL);
	assert(c != NULL || errors.len > 0);
	assert(errors.len == 0 || errors.ptr[errors.len - 1] == '\n');
	buffer_release(&errors);
	close(fd);
	return c;
}

/* The next line without the comment at its end, which says where the value came from.
 */
static struct slice
next_value(struct slice *text)
{
	const char *lf = memchr(text->ptr, '\n', text->len);
	struct slice line = slice_of(text->ptr, (size_t)(lf - text->ptr));

	slice_advance(text, line.len + 1);
	for (size_t n = line.len; n-- > 0;)
		if (slice_starts(slice_of(line.ptr + n, line.len - n), SLICE("; /* ")))
			return slice_of(line.ptr, n);
	return line;
}

static void
check_same(struct slice a, struct slice b)
{
	while (a.len > 0 && b.len > 0)
		assert(slice_eq(next_value(&a), next_value(&b)));
	assert(a.len == b.len);
}

void
fuzz_config(struct slice in)
{
	struct buffer first = { 0 }, second = { 0 };
	struct config *c = load(in);

	if (c == NULL)
		return;
	config_print(c, &first);
	config_free(c);
	c = load(buffer_slice(&first));
	assert(c != NULL);
	config_print(c, &second);
	config_free(c);
	check_same(buffer_slice(&first), buffer_slice(&second));
	buffer_release(&first);
	buffer_release(&second);
}
