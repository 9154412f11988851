/*
 * sender SOCKET FILE...
 *
 * Opens each file, passes it to the receiver that listens at the socket, and prints
 * what that has counted in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "examples/imsg/talk.h"

/* 0, or -1 and errno. A descriptor that was composed is the writer's. */
static int
send_file(int socket, struct imsg_writer *w, const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if (imsg_compose(w, TALK_FILE, slice_str(name), fd) == -1) {
		close(fd);
		return -1;
	}
	return talk_send(socket, w);
}

/* False: it is not what a receiver answers. */
static bool
print_counts(const struct imsg *m)
{
	struct slice name = m->payload;
	struct counts counts;

	if (m->type != TALK_COUNTS || name.len < sizeof(counts))
		return false;
	memcpy(&counts, name.ptr, sizeof(counts));
	slice_advance(&name, sizeof(counts));
	printf("%" PRIu64 " bytes, %" PRIu64 " lines: %" SLICE_FMT "\n", counts.bytes,
		counts.lines, SLICE_ARG(name));
	return true;
}

/* NULL, or what is wrong. */
static const char *
ask(int socket, struct imsg_writer *w, struct imsg_reader *r, const char *file)
{
	struct imsg m = { .fd = -1 };

	if (send_file(socket, w, file) == -1)
		return strerror(errno);
	int got = talk_receive(socket, r, &m);
	if (got != 1)
		return got == 0 ? "the receiver has gone" : strerror(errno);
	if (m.fd != -1)
		close(m.fd);
	return print_counts(&m) ? NULL : "the receiver does not speak as it should";
}

int
main(int argc, char **argv)
{
	struct imsg_writer writer;
	struct imsg_reader reader;
	const char *reason = NULL;

	if (argc < 3) {
		fprintf(stderr, "usage: sender SOCKET FILE...\n");
		return 2;
	}
	int socket = talk_connect(argv[1]);
	if (socket == -1) {
		perror(argv[1]);
		return 1;
	}
	imsg_writer_init(&writer);
	imsg_reader_init(&reader);
	for (int i = 2; i < argc && reason == NULL; i++) {
		reason = ask(socket, &writer, &reader, argv[i]);
		if (reason != NULL)
			fprintf(stderr, "%s: %s\n", argv[i], reason);
	}
	imsg_writer_release(&writer);
	imsg_reader_release(&reader);
	close(socket);
	return reason == NULL ? 0 : 1;
}
