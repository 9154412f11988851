/*
 * A client that sends by the clock: so many requests a second, whether the server keeps
 * up or not, as a crowd of people does. Latencies count from the time at which a
 * request was meant to be sent; so one that had to wait for a free connection, because
 * the server held all of them, tells of that, which a client that waits for each answer
 * would leave out (coordinated omission). Prints one line of figures: numbers of
 * requests, and microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MILLION = 1000000,
	BILLION = 1000000000,
	EVENTS = 64,
	HEAD = 4096, /* room for the head of a response, with some of its body */
	SLOW_EACH = 100, /* one request of so many is for the slow path */
	PATIENCE = 5, /* seconds for the last answers */
};

struct request {
	char *bytes;
	size_t len;
};

struct client {
	struct client *next; /* in the queue of those that are free */
	const struct request *request; /* NULL: it is free */
	uint64_t intended;
	size_t sent, head_len;
	uint64_t left; /* of the body, once the head is there */
	int fd;
	bool has_head, used; /* used: this connection has brought an answer */
	char head[HEAD + 1];
};

static struct {
	int port, rate, seconds, connections;
	const char *path, *slow_path, *field;
	size_t body;
} options = { .path = "/", .field = "" };

static struct request usual, slow;
static struct client *first_free, **last_free = &first_free;
static uint32_t *latencies;
static size_t wanted, sent, done, failed;
static int epoll;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * BILLION + (uint64_t)t.tv_nsec;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static struct request
make_request(const char *path)
{
	char head[HEAD], length[64] = "";

	if (options.body > 0)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n",
			options.body);
	int n = snprintf(head, sizeof(head),
		"%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s\r\n",
		options.body > 0 ? "POST" : "GET", path, options.port, length,
		options.field, *options.field != '\0' ? "\r\n" : "");
	if (n < 0 || n >= HEAD)
		die("request");
	struct request r = { .len = (size_t)n + options.body };
	r.bytes = malloc(r.len);
	if (r.bytes == NULL)
		die("malloc");
	memcpy(r.bytes, head, (size_t)n);
	memset(r.bytes + n, 'x', options.body);
	return r;
}

/* ---- A connection ---- */

static void
client_open(struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)options.port) };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
		.data.ptr = c };
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c->used = false;
	if (c->fd == -1)
		die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == -1 &&
		errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) == -1)
		die("epoll_ctl");
}

static void
client_close(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

/* The last free one is the next but all others, so that every connection is used. */
static void
client_end(struct client *c, bool good)
{
	uint64_t us = (now_ns() - c->intended) / 1000;

	latencies[done++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
	failed += !good;
	c->used = true;
	c->request = NULL;
	c->next = NULL;
	*last_free = c;
	last_free = &c->next;
}

/* The connection has ended. One that was kept may end as a request sets out: it is sent
 * once more, as browsers do. A response may end so, too, if nothing tells its length.
 */
static void
client_ended(struct client *c)
{
	bool to_the_end = c->has_head && c->left == UINT64_MAX;
	bool retried = c->request != NULL && c->used && c->head_len == 0;

	client_close(c);
	if (c->request == NULL)
		return;
	if (retried) {
		c->sent = 0;
		client_open(c);
	} else {
		client_end(c, to_the_end);
	}
}

static bool
read_head(struct client *c)
{
	c->head[c->head_len] = '\0';
	char *end = strstr(c->head, "\r\n\r\n");
	if (end == NULL)
		return false;
	const char *length = strcasestr(c->head, "\r\nContent-Length:");
	size_t body = c->head_len - (size_t)(end + 4 - c->head);
	c->has_head = true;
	c->left = UINT64_MAX;
	if (length != NULL && length < end) {
		uint64_t n = strtoull(length + strlen("\r\nContent-Length:"), NULL, 10);
		c->left = n > body ? n - body : 0;
	}
	return true;
}

/* False: there is no more for now, or nothing is asked any more. */
static bool
client_receive(struct client *c)
{
	static char body[256 * 1024];
	bool in_head = !c->has_head && c->request != NULL;
	ssize_t n = in_head ? recv(c->fd, c->head + c->head_len, HEAD - c->head_len, 0)
			    : recv(c->fd, body, sizeof(body), 0);

	if (n == -1 && (errno == EAGAIN || errno == ENOTCONN))
		return false;
	if (n <= 0 || (!in_head && c->request == NULL)) {
		client_ended(c);
		return false;
	}
	if (in_head) {
		c->head_len += (size_t)n;
		if (!read_head(c))
			return c->head_len < HEAD;
	} else if (c->left != UINT64_MAX) {
		c->left -= (uint64_t)n < c->left ? (uint64_t)n : c->left;
	}
	if (c->left > 0)
		return true;
	client_end(c, strncmp(c->head + strlen("HTTP/1.1 "), "200", 3) == 0);
	return false;
}

static void
client_step(struct client *c)
{
	while (c->request != NULL && c->sent < c->request->len) {
		ssize_t n = send(c->fd, c->request->bytes + c->sent,
			c->request->len - c->sent, MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == ENOTCONN))
			break;
		if (n == -1) {
			client_ended(c);
			return;
		}
		c->sent += (size_t)n;
	}
	while (c->fd != -1 && client_receive(c))
		;
}

/* ---- The clock ---- */

static uint64_t
time_of(size_t i, uint64_t start)
{
	return start + (uint64_t)i * BILLION / (uint64_t)options.rate;
}

static void
send_due(uint64_t start)
{
	while (sent < wanted && first_free != NULL &&
		time_of(sent, start) <= now_ns()) {
		struct client *c = first_free;
		first_free = c->next;
		if (first_free == NULL)
			last_free = &first_free;
		bool is_slow =
			options.slow_path != NULL && sent % SLOW_EACH == SLOW_EACH - 1;
		c->request = is_slow ? &slow : &usual;
		c->intended = time_of(sent++, start);
		c->sent = c->head_len = 0;
		c->has_head = false;
		if (c->fd == -1)
			client_open(c);
		client_step(c);
	}
}

static void
run(void)
{
	struct epoll_event events[EVENTS];
	uint64_t start = now_ns(),
		 end = time_of(wanted, start) + PATIENCE * (uint64_t)BILLION;

	while (done < wanted && now_ns() < end) {
		send_due(start);
		uint64_t now = now_ns(), next = now + MILLION;
		if (sent < wanted && first_free != NULL && time_of(sent, start) < next)
			next = time_of(sent, start);
		struct timespec wait = { .tv_nsec =
						 next > now ? (long)(next - now) : 0 };
		int n = epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;
			if (c->fd != -1)
				client_step(c);
		}
	}
}

/* ---- What is told ---- */

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Whoever has got no answer counts as the slowest. */
static void
tell(void)
{
	size_t missing = wanted - done;

	memset(latencies + done, 0xff, missing * sizeof(*latencies));
	qsort(latencies, wanted, sizeof(*latencies), compare);
	printf("requests %zu errors %zu p50 %u p99 %u p999 %u max %u\n", wanted,
		failed + missing, latencies[wanted / 2], latencies[wanted * 99 / 100],
		latencies[wanted * 999 / 1000], latencies[wanted - 1]);
}

static void
read_options(int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "p:s:b:f:")) != -1) {
		if (letter == 'p')
			options.path = optarg;
		else if (letter == 's')
			options.slow_path = optarg;
		else if (letter == 'b')
			options.body = strtoul(optarg, NULL, 10);
		else if (letter == 'f')
			options.field = optarg;
	}
	int *const numbers[] = { &options.port, &options.rate, &options.seconds,
		&options.connections };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const char *text = optind < argc ? argv[optind++] : "0";
		*numbers[i] = (int)strtol(text, NULL, 10);
		if (*numbers[i] < 1) {
			fputs("usage: openloop [-p path] [-s slow path] [-b body "
			      "bytes] "
			      "[-f field] port rate seconds connections\n",
				stderr);
			exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	usual = make_request(options.path);
	slow = make_request(options.slow_path != NULL ? options.slow_path : "/");
	wanted = (size_t)options.rate * (size_t)options.seconds;
	latencies = calloc(wanted, sizeof(*latencies));
	struct client *clients = calloc((size_t)options.connections, sizeof(*clients));
	epoll = epoll_create1(0);
	if (latencies == NULL || clients == NULL || epoll == -1)
		die("openloop");
	prctl(PR_SET_TIMERSLACK, 1UL);
	for (int i = 0; i < options.connections; i++) {
		clients[i].fd = -1;
		*last_free = &clients[i];
		last_free = &clients[i].next;
	}
	run();
	tell();
	return 0;
}
