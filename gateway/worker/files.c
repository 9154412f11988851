#include "gateway/worker/files.h"

#include <string.h>

#include "gateway/alicorn.h"
#include "gateway/common/heritage.h"
#include "gateway/worker/lock.h"
#include "protocols/buffer.h"

enum { FILES_MOST_BYTES = 1 << 20 };

/* Paths, each with its NUL: what was named last, and what was sent. */
static struct buffer named = { .limit = FILES_MOST_BYTES }, sent;

void
al_file(const char *path)
{
	if (*path == '/' && self.heritage->server->reload)
		buffer_add(&named, path, strlen(path) + 1);
}

/* As many whole paths as one message holds. */
static size_t
part_of(struct slice paths)
{
	if (paths.len <= IMSG_PAYLOAD_MAX)
		return paths.len;
	const char *end = memrchr(paths.ptr, '\0', IMSG_PAYLOAD_MAX);
	return end != NULL ? (size_t)(end + 1 - paths.ptr) : paths.len;
}

void
files_tell(struct channel *channel)
{
	if (!self.heritage->server->reload)
		return;
	lock_give();
	if (self.app.instance != NULL)
		app_hook(&self.app, AL_FILES, NULL);
	lock_take();
	struct slice paths = buffer_slice(&named);
	if (!slice_eq(paths, buffer_slice(&sent))) {
		buffer_reset(&sent);
		buffer_add_slice(&sent, paths);
		while (paths.len > 0) {
			size_t n = part_of(paths);
			channel_send(channel, MESSAGE_FILES, slice_of(paths.ptr, n));
			slice_advance(&paths, n);
		}
	}
	buffer_reset(&named);
}

void
files_tell_new(struct channel *channel)
{
	static uint64_t requests_then;
	uint64_t requests =
		atomic_load_explicit(&self.slot->requests, memory_order_relaxed);

	if (!self.heritage->server->reload || requests == requests_then)
		return;
	requests_then = requests;
	files_tell(channel);
}
