#include "gateway/worker/reports.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/logger/log.h"
#include "gateway/worker/self.h"
#include "protocols/statsd.h"

enum {
	EVERY_MS = 1000,
	STATUS_FIRST = 100,
	STATUS_END = 600,
	SAMPLES = 256, /* durations that are sent each time, the more at random */
	DATAGRAM_BYTES = 1432, /* that no network takes apart */
};

static int fd = -1;
static struct sockaddr_storage server;
static socklen_t server_len;
static struct statsd_names names;
static struct timer timer;

static uint64_t requests, statuses[STATUS_END - STATUS_FIRST];
static uint64_t samples[SAMPLES], seen; /* how many these stand for */

/* ---- Where they go ---- */

static const char *
find_host(const struct statsd_address *a)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found;
	char host[256], port[8];

	snprintf(host, sizeof(host), "%" SLICE_FMT, SLICE_ARG(a->host));
	snprintf(port, sizeof(port), "%" SLICE_FMT, SLICE_ARG(a->port));
	int error = getaddrinfo(host, port, &hints, &found);
	if (error != 0)
		return gai_strerror(error);
	memcpy(&server, found->ai_addr, found->ai_addrlen);
	server_len = found->ai_addrlen;
	freeaddrinfo(found);
	return NULL;
}

static const char *
find_path(struct slice path)
{
	struct sockaddr_un *local = (struct sockaddr_un *)&server;

	if (path.len >= sizeof(local->sun_path))
		return "the path is longer than a socket's may be (107 bytes)";
	local->sun_family = AF_UNIX;
	memcpy(local->sun_path, path.ptr, path.len);
	server_len = sizeof(*local);
	return NULL;
}

static const char *
open_socket(const char *text)
{
	struct statsd_address address;
	const char *reason = statsd_parse(&address, text);

	if (reason == NULL)
		reason = address.is_local ? find_path(address.host)
					  : find_host(&address);
	if (reason != NULL)
		return reason;
	fd = socket(server.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd != -1 ? NULL : strerror(errno);
}

/* ---- To send ---- */

/* Nobody waits for it, and what is lost is lost, as statsd is meant. */
static void
send_lines(const char *lines, size_t len)
{
	(void)!sendto(fd, lines, len, MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&server, server_len);
}

/* As many whole lines in each datagram as it may have. */
static void
send_all(struct slice lines)
{
	while (lines.len > 0) {
		size_t len = lines.len;
		if (len > DATAGRAM_BYTES) {
			const char *end = memrchr(lines.ptr, '\n', DATAGRAM_BYTES);
			if (end == NULL)
				end = memchr(lines.ptr, '\n', lines.len);
			len = (size_t)(end - lines.ptr) + 1;
		}
		send_lines(lines.ptr, len - 1);
		slice_advance(&lines, len);
	}
}

/* ---- What is sent ---- */

static void
put_requests(struct buffer *out)
{
	size_t kept = seen < SAMPLES ? (size_t)seen : SAMPLES;
	char name[64];

	if (requests > 0)
		statsd_count(out, &names, "gunicorn.requests", requests);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (statuses[i] == 0)
			continue;
		snprintf(name, sizeof(name), "gunicorn.request.status.%zu",
			i + STATUS_FIRST);
		statsd_count(out, &names, name, statuses[i]);
	}
	for (size_t i = 0; i < kept; i++)
		statsd_time(out, &names, "gunicorn.request.duration", samples[i],
			(double)kept / (double)seen);
	requests = seen = 0;
	memset(statuses, 0, sizeof(statuses));
}

/* One worker speaks for all: the first one that serves. */
static bool
is_speaker(void)
{
	const struct slots *all = self.heritage->slots;

	for (size_t i = 0; i < *all->used; i++) {
		const struct slot *slot = &all->rows[i];
		if (slot->state == SLOT_SERVING && slot->app == self.slot->app)
			return slot == self.slot;
	}
	return false;
}

static uint64_t
backlog(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < self.heritage->n_listeners; i++) {
		struct tcp_info info;
		socklen_t len = sizeof(info);
		if (getsockopt(self.heritage->listeners[i]->fd, IPPROTO_TCP, TCP_INFO,
			    &info, &len) == 0)
			sum += info.tcpi_unacked;
	}
	return sum;
}

static void
put_gauges(struct buffer *out)
{
	const struct board *board = self.heritage->board;
	uint32_t row = self.slot->app;

	if (row == 0 || !is_speaker())
		return;
	statsd_gauge(out, &names, "gunicorn.workers",
		board->apps[row - 1].processes[BOARD_WORKERS].serving);
	if (self.settings->enable_backlog_metric)
		statsd_histogram(out, &names, "gunicorn.backlog", backlog());
}

static void
report(void)
{
	struct buffer lines = { 0 };

	put_requests(&lines);
	put_gauges(&lines);
	if (!lines.failed)
		send_all(buffer_slice(&lines));
	buffer_release(&lines);
}

static void
on_timer(struct timer *t)
{
	report();
	(void)timer_set(&self.loop.timers, t, self.loop.now + EVERY_MS);
}

/* ---- From outside ---- */

void
reports_start(void)
{
	const struct app_settings *s = self.settings;

	if (s->statsd_host == NULL)
		return;
	const char *reason = open_socket(s->statsd_host);
	if (reason != NULL) {
		log_warning("%s: nothing goes to statsd at %s: %s", s->name,
			s->statsd_host, reason);
		return;
	}
	names = (struct statsd_names){ s->statsd_prefix, s->dogstatsd_tags };
	timer.fn = on_timer;
	(void)timer_set(&self.loop.timers, &timer, self.loop.now + EVERY_MS);
}

/* Each duration is kept as likely as any other. */
void
reports_count(unsigned status, uint64_t us)
{
	static uint64_t random = 88172645463325252;

	if (fd == -1)
		return;
	requests++;
	if (status >= STATUS_FIRST && status < STATUS_END)
		statuses[status - STATUS_FIRST]++;
	seen++;
	random ^= random << 13;
	random ^= random >> 7;
	random ^= random << 17;
	uint64_t place = seen <= SAMPLES ? seen - 1 : random % seen;
	if (place < SAMPLES)
		samples[place] = us;
}

void
reports_stop(void)
{
	if (fd == -1)
		return;
	report();
	timer_remove(&self.loop.timers, &timer);
	close(fd);
	fd = -1;
}
