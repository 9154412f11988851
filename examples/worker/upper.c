/*
 * A worker class of one's own: it speaks no HTTP, but answers each line that a client
 * sends with the same line in capitals, one client at a time. The arbiter forks these
 * workers, watches them, replaces them at HUP and stops them, as it does its own.
 * Described in alicorn-worker(7).
 *
 *	alicorn -k ./upper.so -w 4 -b 127.0.0.1:7000 ./upper.so
 *
 * The target, which names an application elsewhere, is not used here.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <alicorn-worker.h>
#include <alicorn.h> /* the levels of the log */

enum { LINE_MAX_BYTES = 4096, PATIENCE_SECONDS = 5 };

static const char *
init(const struct al_worker *worker, void **state)
{
	struct pollfd *polled = calloc(worker->n_listeners + 1, sizeof(*polled));

	if (polled == NULL)
		return "out of memory";
	polled[0] = (struct pollfd){ .fd = al_control_fd(), .events = POLLIN };
	for (size_t i = 0; i < worker->n_listeners; i++)
		polled[i + 1] = (struct pollfd){ .fd = worker->listeners[i].fd };
	*state = polled;
	return NULL;
}

/* A signal, such as that of a stop, interrupts calls that have a time limit. */
static bool
read_byte(int client, char *byte)
{
	ssize_t n;

	do
		n = read(client, byte, 1);
	while (n == -1 && errno == EINTR);
	return n == 1;
}

/* One line; false: there is no more, or it is too long. */
static bool
answer_line(int client)
{
	char line[LINE_MAX_BYTES];
	size_t n = 0;

	while (n == 0 || line[n - 1] != '\n') {
		if (n == sizeof(line) || !read_byte(client, &line[n]))
			return false;
		line[n] = (char)toupper((unsigned char)line[n]);
		n++;
	}
	return write(client, line, n) == (ssize_t)n;
}

/* A client that is silent, or does not read, is left after a while: worker and others
 * wait for it. The sign of life at each line is for what takes longer all the same,
 * such as a line that comes byte by byte: after `timeout` seconds it costs the worker
 * its life, as a request that hangs does elsewhere. */
static void
serve_client(int client)
{
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };

	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	do
		al_worker_notify("a line");
	while (answer_line(client));
	al_worker_notify(NULL);
	close(client);
}

/* Several workers may have been woken for one client. */
static void
accept_from(const struct al_listener *listener)
{
	int client = accept(listener->fd, NULL, NULL);

	if (client >= 0)
		serve_client(client);
	else if (errno != EAGAIN)
		al_worker_log(AL_WARNING, "accept on %s: %s", listener->address,
			strerror(errno));
}

static int
run(const struct al_worker *worker, void *state)
{
	struct pollfd *polled = state;
	unsigned said;

	while (((said = al_control()) & AL_CONTROL_STOP) == 0) {
		for (size_t i = 1; i <= worker->n_listeners; i++)
			polled[i].events = (said & AL_CONTROL_SERVE) != 0 ? POLLIN : 0;
		if (poll(polled, worker->n_listeners + 1, -1) < 0)
			continue;
		for (size_t i = 1; i <= worker->n_listeners; i++)
			if ((polled[i].revents & POLLIN) != 0)
				accept_from(&worker->listeners[i - 1]);
	}
	al_worker_log(AL_INFO, "worker %u stops", worker->age);
	free(polled);
	return 0;
}

const struct al_worker_class al_worker_class = {
	.abi = AL_WORKER_ABI,
	.name = "upper",
	.init = init,
	.run = run,
};
