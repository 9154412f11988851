/*
 * receiver SOCKET
 *
 * Counts the bytes and lines of files that it has no need to be able to open: a sender
 * passes them, open. Serves one sender after the other, until it is ended.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "examples/imsg/talk.h"

static const char *path;

static void
leave(int number)
{
	(void)number;
	unlink(path);
	_exit(0);
}

static struct counts
count(int fd)
{
	struct counts counts = { 0 };
	char piece[65536];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		counts.bytes += (uint64_t)n;
		for (ssize_t i = 0; i < n; i++)
			counts.lines += piece[i] == '\n';
	}
	return counts;
}

/* The answer to a file: 0, or -1 when the sender is to be left. */
static int
answer(int socket, struct imsg_writer *w, const struct imsg *m)
{
	struct buffer payload = { .limit = IMSG_PAYLOAD_MAX };
	int result = -1;

	if (m->type == TALK_FILE && m->fd != -1) {
		struct counts counts = count(m->fd);
		buffer_add(&payload, &counts, sizeof(counts));
		buffer_add_slice(&payload, m->payload);
		if (!payload.failed &&
			imsg_compose(w, TALK_COUNTS, buffer_slice(&payload), -1) == 0)
			result = talk_send(socket, w);
	}
	if (m->fd != -1)
		close(m->fd);
	buffer_release(&payload);
	return result;
}

static void
serve(int socket)
{
	struct imsg_reader reader;
	struct imsg_writer writer;
	struct imsg m;

	imsg_reader_init(&reader);
	imsg_writer_init(&writer);
	while (talk_receive(socket, &reader, &m) == 1) {
		if (answer(socket, &writer, &m) == -1)
			break;
	}
	imsg_reader_release(&reader);
	imsg_writer_release(&writer);
	close(socket);
}

int
main(int argc, char **argv)
{
	int sender;

	if (argc != 2) {
		fprintf(stderr, "usage: receiver SOCKET\n");
		return 2;
	}
	path = argv[1];
	int listener = talk_listen(path);
	if (listener == -1) {
		perror(path);
		return 1;
	}
	signal(SIGTERM, leave);
	signal(SIGINT, leave);
	while ((sender = accept(listener, NULL, NULL)) != -1)
		serve(sender);
	perror("accept");
	return 1;
}
