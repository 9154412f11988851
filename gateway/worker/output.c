#include "gateway/worker/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/worker/spool.h"
#include "protocols/fastcgi_responder.h"

enum {
	BLOCK_BYTES = 16 * 1024 - 96,
	IOV_BLOCKS = 16, /* pieces in one system call */
	SENDFILE_MAX = 1 << 20, /* bytes in one */
	TURN_BYTES = 4 << 20, /* then the other connections have their turn */
	COPY_BYTES = 64 * 1024, /* in one read and write */
	JOINED_BYTES = 2048, /* of pieces that are sent as one */
	FREE_BLOCKS = 64, /* that are kept for reuse */
};

struct block {
	struct block *next;
	bool spool; /* the file is our own, and takes more at its end */
	int fd; /* -1: the bytes in data; else a part of a file */
	off_t offset;
	uint64_t start, end; /* what waits: of data, or of the file from offset on */
	/* A file that goes out as records: the header of the one that was begun, and
	 * how much is left of it and of its content. */
	uint16_t id; /* 0: it goes out as it is */
	uint16_t content;
	uint8_t header;
	char header_bytes[FCGI_HEADER_LEN];
	char data[];
};

/* A worker has one loop, so one list serves all its connections. */
static struct block *free_blocks;
static unsigned n_free;

static struct output_rules rules = { .sendfile = true, .memory_max = SIZE_MAX };

void
output_set_rules(const struct output_rules *wanted)
{
	rules = *wanted;
}

static struct block *
block_new(void)
{
	struct block *b = free_blocks;

	if (b != NULL) {
		free_blocks = b->next;
		n_free--;
	} else if ((b = malloc(sizeof(*b) + BLOCK_BYTES)) == NULL) {
		return NULL;
	}
	b->next = NULL;
	b->fd = -1;
	b->spool = false;
	b->start = b->end = 0;
	return b;
}

static void
block_free(struct block *b)
{
	if (b->fd >= 0) {
		close(b->fd);
		free(b);
	} else if (n_free < FREE_BLOCKS) {
		b->next = free_blocks;
		free_blocks = b;
		n_free++;
	} else {
		free(b);
	}
}

static void
append(struct output *o, struct block *b)
{
	if (o->last != NULL)
		o->last->next = b;
	else
		o->first = b;
	o->last = b;
}

static void
remove_first(struct output *o)
{
	struct block *b = o->first;

	o->first = b->next;
	if (o->first == NULL)
		o->last = NULL;
	if (b->spool) {
		o->spooled -= b->end;
		spool_give_back(b->end);
	}
	block_free(b);
}

void
output_release(struct output *o)
{
	while (o->first != NULL)
		remove_first(o);
	o->memory = 0;
	o->bytes = 0;
}

/* The last block, if it is a file of our own, else a new one; NULL: there is none to be
 * had. */
static struct block *
spool_block(struct output *o)
{
	if (o->last != NULL && o->last->spool)
		return o->last;
	struct block *b = malloc(sizeof(*b));
	int fd = b != NULL ? spool_open(rules.folder) : -1;
	if (fd < 0) {
		free(b);
		return NULL;
	}
	*b = (struct block){ .fd = fd, .spool = true };
	append(o, b);
	return b;
}

/* False: nothing was added, and memory has to do. */
static bool
add_to_spool(struct output *o, const char *bytes, size_t n)
{
	if (n > rules.spool_max || o->spooled > rules.spool_max - n || !spool_take(n))
		return false;
	struct block *b = spool_block(o);
	if (b == NULL || spool_write(b->fd, slice_of(bytes, n), (off_t)b->end) != 0) {
		spool_give_back(n);
		return false;
	}
	b->end += n;
	o->bytes += n;
	o->spooled += n;
	return true;
}

static int
add_bytes(struct output *o, const char *bytes, size_t n)
{
	if (n > 0 && o->memory + n > rules.memory_max && add_to_spool(o, bytes, n))
		return 0;
	o->memory += n;
	o->bytes += n;
	while (n > 0) {
		struct block *b = o->last;
		if (b == NULL || b->fd >= 0 || b->end == BLOCK_BYTES) {
			if ((b = block_new()) == NULL)
				return -1;
			append(o, b);
		}
		size_t part =
			BLOCK_BYTES - b->end < n ? BLOCK_BYTES - (size_t)b->end : n;
		memcpy(b->data + b->end, bytes, part);
		b->end += part;
		bytes += part;
		n -= part;
	}
	return 0;
}

int
output_add_records(struct output *o, int fd, off_t offset, uint64_t length, uint16_t id)
{
	struct block *b = length > 0 ? malloc(sizeof(*b)) : NULL;

	if (b == NULL) {
		close(fd);
		return length > 0 ? -1 : 0;
	}
	*b = (struct block){ .fd = fd, .offset = offset, .end = length, .id = id };
	append(o, b);
	o->bytes += length;
	return 0;
}

int
output_add_file(struct output *o, int fd, off_t offset, uint64_t length)
{
	return output_add_records(o, fd, offset, length, 0);
}

/* The bytes of the first blocks in memory, up to a file. */
static size_t
gather(const struct output *o, struct iovec *iov, bool *file_next)
{
	const struct block *b = o->first;
	size_t n = 0;

	for (; b != NULL && b->fd < 0 && n < IOV_BLOCKS; b = b->next, n++) {
		iov[n].iov_base = (char *)b->data + b->start;
		iov[n].iov_len = b->end - b->start;
	}
	*file_next = b != NULL;
	return n;
}

/* The socket took n bytes of the blocks in memory. */
static void
sent_memory(struct output *o, size_t n)
{
	o->memory -= n;
	o->bytes -= n;
	while (n > 0) {
		struct block *b = o->first;
		size_t part = b->end - b->start < n ? (size_t)(b->end - b->start) : n;
		b->start += part;
		n -= part;
		if (b->start == b->end)
			remove_first(o);
	}
}

/* Puts small pieces together, as copying them costs less than a vector costs the
 * kernel. The number of bytes; 0: they are too many. */
static size_t
join(char bytes[JOINED_BYTES], const struct iovec *iov, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len > JOINED_BYTES - len)
			return 0;
		memcpy(bytes + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return len;
}

/* One system call; the number of bytes, 0: the socket is full, -1: broken. */
static ssize_t
send_pieces(struct output *o, int socket, struct iovec *iov, size_t n, bool more)
{
	char bytes[JOINED_BYTES];
	size_t joined = join(bytes, iov, n);
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
	ssize_t sent;

	do {
		sent = joined > 0 ? send(socket, bytes, joined, flags)
				  : sendmsg(socket, &msg, flags);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -1;
	o->sent += (uint64_t)sent;
	return sent;
}

/* As sendfile(2). */
static ssize_t
copy_file(int socket, int fd, off_t offset, size_t n)
{
	static char bytes[COPY_BYTES];
	ssize_t got = pread(fd, bytes, n < COPY_BYTES ? n : COPY_BYTES, offset);

	return got > 0 ? send(socket, bytes, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT)
		       : got;
}

/* One system call, as send_pieces; it may send fewer bytes. */
static ssize_t
send_from(struct output *o, int socket, int fd, off_t offset, uint64_t length)
{
	size_t n = length < SENDFILE_MAX ? (size_t)length : SENDFILE_MAX;
	ssize_t sent;

	do {
		sent = !rules.sendfile ? copy_file(socket, fd, offset, n)
				       : sendfile(socket, fd, &offset, n);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -1;
	if (sent == 0) /* the file is shorter than it was */
		return -1;
	o->sent += (uint64_t)sent;
	return sent;
}

/* What is left of the header of the record that is next. */
static ssize_t
send_header(struct output *o, int socket, uint64_t left)
{
	struct block *b = o->first;

	if (b->header == 0) {
		b->content =
			left < FASTCGI_RECORD_MAX ? (uint16_t)left : FASTCGI_RECORD_MAX;
		b->header = FCGI_HEADER_LEN;
		fastcgi_header(b->header_bytes, FCGI_STDOUT, b->id, b->content);
	}
	struct iovec rest = { b->header_bytes + FCGI_HEADER_LEN - b->header,
		b->header };
	ssize_t sent = send_pieces(o, socket, &rest, 1, true);
	if (sent > 0)
		b->header = (uint8_t)(b->header - sent);
	return sent;
}

static ssize_t
send_file(struct output *o, int socket)
{
	struct block *b = o->first;
	uint64_t left = b->end - b->start;

	if (left == 0) { /* nothing could be written to it */
		remove_first(o);
		return 1;
	}
	if (b->id != 0 && (b->content == 0 || b->header > 0))
		return send_header(o, socket, left);
	ssize_t sent = send_from(o, socket, b->fd, b->offset + (off_t)b->start,
		b->id != 0 ? b->content : left);
	if (sent <= 0)
		return sent;
	o->bytes -= (uint64_t)sent;
	b->start += (uint64_t)sent;
	b->content = (uint16_t)(b->content - (b->id != 0 ? sent : 0));
	if (b->start == b->end)
		remove_first(o);
	return sent;
}

static ssize_t
send_memory(struct output *o, int socket)
{
	struct iovec iov[IOV_BLOCKS];
	bool file_next;
	size_t n = gather(o, iov, &file_next);
	ssize_t sent = send_pieces(o, socket, iov, n, file_next);

	if (sent > 0)
		sent_memory(o, (size_t)sent);
	return sent;
}

enum output_result
output_flush(struct output *o, int socket)
{
	uint64_t turn = o->sent + TURN_BYTES;

	while (o->first != NULL) {
		ssize_t sent = o->first->fd >= 0 ? send_file(o, socket)
						 : send_memory(o, socket);
		if (sent < 0)
			return OUTPUT_BROKEN;
		if (sent == 0)
			return OUTPUT_WAITING;
		if (o->sent >= turn && o->first != NULL)
			return OUTPUT_TURN;
	}
	return OUTPUT_EMPTY;
}

/* Queues what is left of the pieces after the first n bytes of them. */
static int
queue_rest(struct output *o, const struct iovec *pieces, size_t n_pieces, size_t n)
{
	for (size_t i = 0; i < n_pieces; i++) {
		size_t skip = n < pieces[i].iov_len ? n : pieces[i].iov_len;
		n -= skip;
		if (add_bytes(o, (const char *)pieces[i].iov_base + skip,
			    pieces[i].iov_len - skip) != 0)
			return -1;
	}
	return 0;
}

static enum output_result
send_or_queue(
	struct output *o, int socket, struct iovec *pieces, size_t n_pieces, bool more)
{
	enum output_result result = output_flush(o, socket);
	size_t total = 0;
	ssize_t sent = 0;

	if (result == OUTPUT_BROKEN)
		return result;
	for (size_t i = 0; i < n_pieces; i++)
		total += pieces[i].iov_len;
	if (result == OUTPUT_EMPTY && total > 0)
		sent = send_pieces(o, socket, pieces, n_pieces, more);
	if (sent < 0 || queue_rest(o, pieces, n_pieces, (size_t)sent) != 0)
		return OUTPUT_BROKEN;
	if (o->first == NULL)
		return OUTPUT_EMPTY;
	return result == OUTPUT_EMPTY ? OUTPUT_WAITING : result;
}

enum output_result
output_send(struct output *o, int socket, struct iovec *pieces, size_t n_pieces)
{
	return send_or_queue(o, socket, pieces, n_pieces, false);
}

/* Mostly the socket takes all of it, and nothing need be kept. */
enum output_result
output_send_file(struct output *o, int socket, struct iovec *pieces, size_t n_pieces,
	int fd, off_t offset, uint64_t length)
{
	enum output_result result = send_or_queue(o, socket, pieces, n_pieces, true);
	ssize_t sent = 0;

	if (result == OUTPUT_BROKEN)
		return result;
	if (result == OUTPUT_EMPTY)
		sent = send_from(o, socket, fd, offset, length);
	if (sent < 0)
		return OUTPUT_BROKEN;
	if ((uint64_t)sent == length)
		return OUTPUT_EMPTY;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0 ||
		output_add_file(o, own, offset + sent, length - (uint64_t)sent) != 0)
		return OUTPUT_BROKEN;
	return result == OUTPUT_EMPTY ? output_flush(o, socket) : result;
}
