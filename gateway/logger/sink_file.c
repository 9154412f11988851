/*
 * Files, and what is like them: pipes and terminals. To a regular file a line is
 * written exactly once, also when the logger is killed in the middle: it notes what it
 * is about to write where, and the next one looks at the file. So that nobody else
 * moves its end meanwhile, loggers lock it. The lock is that of the open file, which
 * the arbiter has too: it outlives a logger that was killed.
 */
#include "gateway/logger/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/common/clock.h"

/* Longer than that nobody has it who means well. */
enum { LOCK_MS = 1000 };

/* What is no text of a line becomes a space: lines stay lines. */
static size_t
make(const struct sink *s, char *out, size_t room, const struct sink_line *line)
{
	size_t len = line->text.len < room ? line->text.len : room - 1;

	(void)s;
	memcpy(out, line->text.ptr, len);
	for (char *at = out; (at = memchr(at, '\n', (size_t)(out + len - at))) != NULL;)
		*at = ' ';
	out[len] = '\n';
	return len + 1;
}

static ssize_t
write_some(int fd, struct slice bytes)
{
	ssize_t n;

	do
		n = write(fd, bytes.ptr, bytes.len);
	while (n == -1 && errno == EINTR);
	return n;
}

/* ---- Regular files ---- */

/* False: not yet. */
static bool
get_lock(struct sink *s)
{
	uint64_t now = clock_ms();

	if (s->is_locked || flock(s->file.fd, LOCK_EX | LOCK_NB) == 0) {
		s->is_locked = true;
		s->lock_refused = 0;
		return true;
	}
	if (errno != EWOULDBLOCK)
		return true;
	if (s->lock_refused == 0)
		s->lock_refused = now;
	return now - s->lock_refused >= LOCK_MS;
}

static void
give_lock(struct sink *s)
{
	if (s->is_locked)
		flock(s->file.fd, LOCK_UN);
	s->is_locked = false;
}

/* Where the next byte goes. */
static uint64_t
find_end(int fd)
{
	struct stat st;
	off_t at = (fcntl(fd, F_GETFL) & O_APPEND) == 0 ? lseek(fd, 0, SEEK_CUR) : -1;

	if (at == -1 && fstat(fd, &st) == 0)
		at = st.st_size;
	return at > 0 ? (uint64_t)at : 0;
}

/* How many of these bytes the file has from there on. One that cannot be read is
 * believed by its size. */
static size_t
find_written(int fd, uint64_t at, struct slice begun)
{
	uint64_t end = find_end(fd);
	size_t most = end > at ? (size_t)(end - at) : 0, n = 0;
	char bytes[4096];

	if (most > begun.len)
		most = begun.len;
	while (n < most) {
		size_t wanted = most - n < sizeof(bytes) ? most - n : sizeof(bytes);
		ssize_t got = pread(fd, bytes, wanted, (off_t)(at + n));
		if (got == -1 && errno == EBADF)
			return most;
		if (got <= 0)
			break;
		for (ssize_t i = 0; i < got; i++, n++)
			if (bytes[i] != begun.ptr[n])
				return n;
	}
	return n;
}

/* A write was begun by a logger that was killed. When others wrote behind a part of a
 * line, which only happens without the lock, that line is written again. */
static void
recover(struct sink *s)
{
	struct slice begun = stock_begun(&s->stock);

	s->is_locked = true;
	if (begun.len == 0) {
		give_lock(s); /* it was killed just before or behind the write */
		return;
	}
	s->done = find_written(s->file.fd, s->stock.state->at, begun);
	if (s->done < begun.len &&
		find_end(s->file.fd) != s->stock.state->at + s->done) {
		stock_cut(&s->stock, s->done);
		s->done = 0;
		give_lock(s);
	}
}

static const char *
write_file(struct sink *s)
{
	if (!s->is_checked)
		recover(s);
	s->is_checked = true;
	if (stock_begun(&s->stock).len == 0) {
		if (!get_lock(s)) {
			errno = EAGAIN;
			return "somebody else has it";
		}
		stock_begin(&s->stock, find_end(s->file.fd));
		s->done = 0;
	}
	struct slice begun = stock_begun(&s->stock);
	while (s->done < begun.len) {
		ssize_t n = write_some(
			s->file.fd, slice_of(begun.ptr + s->done, begun.len - s->done));
		if (n > 0) {
			s->done += (size_t)n;
			continue;
		}
		int saved = n == 0 ? ENOSPC : errno;
		if (s->done == 0) {
			stock_cut(&s->stock, 0);
			give_lock(s);
		}
		errno = saved == EAGAIN ? EIO : saved;
		return strerror(saved);
	}
	stock_end(&s->stock);
	give_lock(s);
	return NULL;
}

void
sink_file_leave(struct sink *s)
{
	if (!s->is_checked)
		recover(s);
	s->is_checked = true;
	if (stock_begun(&s->stock).len > 0) {
		uint64_t end = s->stock.state->at + s->done;
		size_t part = stock_cut(&s->stock, s->done);
		/* The new file has the whole line: the part of it here goes, if nothing
		 * stands behind it. */
		if (part > 0 && find_end(s->file.fd) == end)
			(void)!ftruncate(s->file.fd, (off_t)(end - part));
	}
	give_lock(s);
}

const struct sink_class sink_class_file = { .make = make, .write = write_file };

/* ---- Pipes, terminals, devices ---- */

/* As many whole lines as a pipe takes in one piece. */
static struct slice
portion(struct slice all)
{
	if (all.len <= PIPE_BUF)
		return all;
	const char *lf = memrchr(all.ptr, '\n', PIPE_BUF);
	if (lf == NULL)
		lf = memchr(all.ptr, '\n', all.len);
	return slice_of(all.ptr, lf != NULL ? (size_t)(lf + 1 - all.ptr) : all.len);
}

static bool
is_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

/* Without a reader lines are lost: nobody knows whether there will ever be one. */
static const char *
write_stream(struct sink *s)
{
	struct slice all;

	while ((all = stock_all(&s->stock)).len > 0) {
		struct slice bytes = portion(all);
		errno = EAGAIN;
		ssize_t n = is_ready(s->file.fd) ? write_some(s->file.fd, bytes) : -1;
		if (n == -1 && (errno == EAGAIN || errno == ENOSPC))
			return strerror(errno);
		if (n == -1) {
			int saved = errno;
			stock_done(&s->stock, all.len);
			errno = saved;
			return strerror(errno);
		}
		stock_done(&s->stock, (size_t)n);
	}
	return NULL;
}

const struct sink_class sink_class_stream = { .make = make, .write = write_stream };
