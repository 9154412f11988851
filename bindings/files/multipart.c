#include "bindings/files/multipart.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

enum { HEAD_MAX = 512, PIECE = 16 * 1024 };

/* What stands before part i, or behind the last one; the length. */
static size_t
write_head(const struct multipart *m, size_t i, char text[HEAD_MAX])
{
	char content_range[HTTP_CONTENT_RANGE];
	int n;

	if (i == m->n) {
		n = snprintf(text, HEAD_MAX, "\r\n--%s--\r\n", m->boundary);
	} else {
		http_content_range(
			content_range, &m->ranges[i], (uint64_t)m->file->size);
		n = snprintf(text, HEAD_MAX,
			"%s--%s\r\nContent-Type: %.256s\r\nContent-Range: %s\r\n\r\n",
			i > 0 ? "\r\n" : "", m->boundary, m->part_type, content_range);
	}
	return (size_t)n;
}

/* Nobody who makes a file knows what its parts will be told by. */
static void
choose_boundary(struct multipart *m)
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint64_t)m->file->mtime.tv_nsec;
	snprintf(m->boundary, sizeof(m->boundary), "%016llx",
		(unsigned long long)number);
}

void
multipart_init(struct multipart *m, const struct file *file, const char *part_type,
	const struct http_range *ranges, size_t n)
{
	uint64_t length = 0, left = al_queue_limit();
	char head[HEAD_MAX];

	*m = (struct multipart){
		.file = file,
		.part_type = part_type,
		.ranges = ranges,
	};
	while (m->n < n && (m->n == 0 || ranges[m->n].length <= left)) {
		uint64_t more = ranges[m->n++].length;
		left = more < left ? left - more : 0;
		length += more;
	}
	choose_boundary(m);
	for (size_t i = 0; i <= m->n; i++)
		length += write_head(m, i, head);
	snprintf(m->type, sizeof(m->type), "multipart/byteranges; boundary=%s",
		m->boundary);
	snprintf(m->length, sizeof(m->length), "%llu", (unsigned long long)length);
}

/* Fails when the file has become shorter. */
static int
send_range(const struct multipart *m, size_t i, struct al_request *req)
{
	uint64_t done = 0, length = m->ranges[i].length;
	char piece[PIECE];

	while (done < length) {
		uint64_t left = length - done;
		ssize_t n =
			pread(m->file->fd, piece, left < PIECE ? (size_t)left : PIECE,
				(off_t)(m->ranges[i].offset + done));
		if (n <= 0 || al_write(req, piece, (size_t)n) != 0)
			return -1;
		done += (uint64_t)n;
	}
	return 0;
}

int
multipart_send(const struct multipart *m, struct al_request *req)
{
	char head[HEAD_MAX];

	for (size_t i = 0; i <= m->n; i++) {
		size_t n = write_head(m, i, head);
		if (al_write(req, head, n) != 0 ||
			(i < m->n && send_range(m, i, req) != 0))
			return AL_ERROR;
	}
	return AL_DONE;
}
