#include "gateway/worker/body.h"

#include <errno.h>
#include <unistd.h>

#include "gateway/worker/spool.h"

enum { WINDOW_BYTES = 64 * 1024 };

void
body_init(struct body *b)
{
	b->fd = -1;
	b->length = 0;
	b->position = 0;
	b->window = 0;
	buffer_reset(&b->memory);
}

void
body_release(struct body *b)
{
	if (b->fd >= 0)
		close(b->fd);
	if (b->memory.cap > WINDOW_BYTES) /* what one large request took is not kept */
		buffer_release(&b->memory);
	body_init(b);
}

static int
spool(struct body *b, const char *folder)
{
	b->fd = spool_open(folder);
	if (b->fd < 0 || spool_write(b->fd, buffer_slice(&b->memory), 0) != 0)
		return -1;
	buffer_reset(&b->memory);
	return 0;
}

int
body_add(struct body *b, struct slice data, size_t memory_max, const char *folder)
{
	if (b->fd < 0 && b->length + data.len > memory_max && spool(b, folder) != 0)
		return -1;
	if (b->fd >= 0) {
		if (spool_write(b->fd, data, (off_t)b->length) != 0)
			return -1;
	} else {
		buffer_add_slice(&b->memory, data);
		if (b->memory.failed) {
			errno = ENOMEM;
			return -1;
		}
	}
	b->length += data.len;
	return 0;
}

/* Bytes that can be read at once, from memory; empty at the end. -1 and errno. */
static int
next_bytes(struct body *b, struct slice *bytes)
{
	if (b->fd < 0) {
		*bytes = buffer_slice(&b->memory);
		slice_advance(bytes, (size_t)b->position);
		return 0;
	}
	if (b->window == b->memory.len && b->position < b->length) {
		buffer_reset(&b->memory);
		b->window = 0;
		char *room = buffer_reserve(&b->memory, WINDOW_BYTES);
		ssize_t n;
		if (room == NULL) {
			errno = ENOMEM;
			return -1;
		}
		do {
			n = pread(b->fd, room, WINDOW_BYTES, (off_t)b->position);
		} while (n < 0 && errno == EINTR);
		if (n <= 0) {
			errno = n < 0 ? errno : EIO; /* the file has become shorter */
			return -1;
		}
		b->memory.len = (size_t)n;
	}
	*bytes = slice_of(b->memory.ptr + b->window, b->memory.len - b->window);
	return 0;
}

static void
take(struct body *b, void *to, struct slice bytes)
{
	if (bytes.len == 0)
		return;
	memcpy(to, bytes.ptr, bytes.len);
	b->position += bytes.len;
	if (b->fd >= 0)
		b->window += bytes.len;
}

ssize_t
body_read(struct body *b, void *to, size_t n)
{
	struct slice bytes;
	size_t done = 0;

	while (done < n) {
		if (next_bytes(b, &bytes) != 0)
			return -1;
		if (bytes.len == 0)
			break;
		if (bytes.len > n - done)
			bytes.len = n - done;
		take(b, (char *)to + done, bytes);
		done += bytes.len;
	}
	return (ssize_t)done;
}

ssize_t
body_readline(struct body *b, void *to, size_t n)
{
	struct slice bytes;
	size_t done = 0;
	const char *lf = NULL;

	while (done < n && lf == NULL) {
		if (next_bytes(b, &bytes) != 0)
			return -1;
		if (bytes.len == 0)
			break;
		if (bytes.len > n - done)
			bytes.len = n - done;
		lf = memchr(bytes.ptr, '\n', bytes.len);
		if (lf != NULL)
			bytes.len = (size_t)(lf - bytes.ptr) + 1;
		take(b, (char *)to + done, bytes);
		done += bytes.len;
	}
	return (ssize_t)done;
}
