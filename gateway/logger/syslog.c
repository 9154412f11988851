#include "gateway/logger/syslog.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/logger/logger_lock.h"
#include "gateway/logger/wall.h"

enum {
	CONNECT_MS = 20, /* that a stream may take to connect */
	TAG_BYTES = 96,
	HEAD_BYTES = 512,
};

static const char *const log_names[] = {
	[SYSLOG_ERROR_LOG] = "error",
	[SYSLOG_ACCESS_LOG] = "access",
};

/* Where lines go to: made by the arbiter, inherited by its children. */
static struct {
	bool enabled;
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_storage room;
	} to;
	socklen_t to_len;
	int type; /* SOCK_DGRAM or SOCK_STREAM */
	int facility;
	char tags[sizeof(log_names) / sizeof(log_names[0])][TAG_BYTES];
	char host[HOST_NAME_MAX + 1]; /* "" for a local socket */
} target;

/* The socket is that of one process: a fork leaves it to the parent. */
static int fd = -1;
static pid_t owner;
static time_t tried; /* to open it: once in a second */

/* ---- To set up ---- */

static const char *
resolve(const struct syslog_address *a)
{
	char host[256], port[8];
	struct addrinfo *found, hints = { .ai_socktype = target.type };

	snprintf(host, sizeof(host), "%" SLICE_FMT, SLICE_ARG(a->host));
	snprintf(port, sizeof(port), "%" SLICE_FMT, SLICE_ARG(a->port));
	int error = getaddrinfo(host, port, &hints, &found);
	if (error != 0)
		return gai_strerror(error);
	memcpy(&target.to, found->ai_addr, found->ai_addrlen);
	target.to_len = found->ai_addrlen;
	freeaddrinfo(found);
	gethostname(target.host, sizeof(target.host) - 1);
	return NULL;
}

/* The host is left out, as the C library does it: the readers of /dev/log look for the
 * tag in its place. */
static const char *
set_path(struct slice path)
{
	struct sockaddr_un *local = &target.to.local;

	if (path.len >= sizeof(local->sun_path))
		return "the path is longer than a socket's may be (107 bytes)";
	local->sun_family = AF_UNIX;
	memcpy(local->sun_path, path.ptr, path.len);
	target.to_len = sizeof(*local);
	return NULL;
}

/* What would end a tag is replaced in it. */
static void
make_tags(const char *prefix)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./"
				      "abcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; i < sizeof(log_names) / sizeof(log_names[0]); i++) {
		char *tag = target.tags[i];
		snprintf(tag, TAG_BYTES, "alicorn%s%.64s.%s", prefix != NULL ? "." : "",
			prefix != NULL ? prefix : "", log_names[i]);
		for (tag += strspn(tag, allowed); *tag != '\0';
			tag += strspn(tag, allowed))
			*tag = '.';
	}
}

const char *
syslog_use(const char *address, const char *prefix, const char *facility)
{
	struct syslog_address a;
	const char *reason = syslog_parse(&a, address);

	syslog_stop();
	if (reason != NULL)
		return reason;
	memset(&target, 0, sizeof(target));
	target.type = a.is_stream ? SOCK_STREAM : SOCK_DGRAM;
	target.facility = syslog_facility(facility);
	make_tags(prefix);
	reason = a.is_local ? set_path(a.host) : resolve(&a);
	target.enabled = reason == NULL;
	return reason;
}

static void
close_socket(void)
{
	if (fd != -1 && owner == getpid())
		close(fd);
	fd = -1;
}

void
syslog_stop(void)
{
	close_socket();
	target.enabled = false;
	tried = 0;
}

bool
syslog_enabled(void)
{
	return target.enabled;
}

/* ---- To send ---- */

static bool
is_connected(int socket)
{
	struct pollfd wait = { .fd = socket, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	return poll(&wait, 1, CONNECT_MS) == 1 &&
		getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
		error == 0;
}

static int
open_socket(void)
{
	int opening = socket(
		target.to.any.sa_family, target.type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (opening == -1 || connect(opening, &target.to.any, target.to_len) == 0)
		return opening;
	if (errno == EINPROGRESS && is_connected(opening))
		return opening;
	close(opening);
	return -1;
}

/* The socket of this process, opened where there is none. */
static bool
has_socket(time_t now)
{
	if (owner != getpid()) {
		owner = getpid();
		fd = -1;
		tried = 0;
	}
	if (fd == -1 && now != tried) {
		tried = now;
		fd = open_socket();
	}
	return fd != -1;
}

/* "Nov  1 09:30:00" */
static struct slice
stamp(char text[16], const struct wall *w)
{
	int parts[] = { w->day, w->hour, w->minute, w->second };

	memcpy(text, w->month, 3);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		text[3 + 3 * i] = i < 2 ? ' ' : ':';
		text[4 + 3 * i] = (char)('0' + parts[i] / 10);
		text[5 + 3 * i] = (char)('0' + parts[i] % 10);
	}
	if (w->day < 10)
		text[4] = ' ';
	return slice_of(text, 15);
}

/* A stream that took a part of a line only is given up, so that the next line is not
 * taken for the rest of it. UDP may report on one line that the one before it was not
 * wanted; that socket stays good. */
static void
send_line(struct iovec *parts, size_t n)
{
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = n };
	ssize_t len = 0, sent = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

	for (size_t i = 0; i < n; i++)
		len += (ssize_t)parts[i].iov_len;
	bool is_udp = target.type == SOCK_DGRAM && target.host[0] != '\0';
	bool is_lost = sent == -1 ? errno != EAGAIN && !is_udp : sent != len;
	if (is_lost)
		close_socket();
}

static void
send_text(enum syslog_log log, enum syslog_severity severity, struct slice text)
{
	const struct wall *w = wall_now();
	char when[16], head[HEAD_BYTES];

	if (!has_socket(w->at))
		return;
	struct syslog_head parts = {
		.facility = target.facility,
		.severity = severity,
		.when = stamp(when, w),
		.host = slice_str(target.host),
		.tag = slice_str(target.tags[log]),
		.pid = owner,
	};
	struct iovec line[] = {
		{ head, syslog_write_head(head, sizeof(head), &parts) },
		{ (void *)text.ptr, text.len },
		{ (void *)"\n", target.type == SOCK_STREAM },
	};
	send_line(line, sizeof(line) / sizeof(line[0]));
}

void
syslog_send(enum syslog_log log, enum syslog_severity severity, struct slice text)
{
	int saved = errno;

	if (!target.enabled)
		return;
	logger_lock();
	send_text(log, severity, text);
	logger_unlock();
	errno = saved;
}
