/*
 * Syslog and the journal: lines that go to a socket. Nobody waits for them: what does
 * not fit into the stock while the other side takes nothing is dropped. A line may come
 * twice when a logger or a connection ended in the middle of it.
 */
#include "gateway/logger/sink.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gateway/logger/resolver.h"
#include "protocols/syslog.h"

enum { STAMP_BYTES = 40, TAG_BYTES = 96 };

static const enum syslog_severity severities[] = {
	[LOG_LEVEL_CRITICAL] = SYSLOG_CRITICAL,
	[LOG_LEVEL_ERROR] = SYSLOG_ERROR,
	[LOG_LEVEL_WARNING] = SYSLOG_WARNING,
	[LOG_LEVEL_INFO] = SYSLOG_INFO,
	[LOG_LEVEL_DEBUG] = SYSLOG_DEBUG,
};

/* ---- What a line becomes ---- */

/* A datagram stands in the stock behind its length. */
static size_t
frame(char *out, size_t len)
{
	uint32_t n = (uint32_t)len;

	memcpy(out, &n, sizeof(n));
	return sizeof(n) + len;
}

static size_t
append(char *out, size_t len, size_t room, struct slice text)
{
	size_t n = text.len < room - len ? text.len : room - len;

	memcpy(out + len, text.ptr, n);
	for (char *at = out + len;
		(at = memchr(at, '\n', (size_t)(out + len + n - at)));)
		*at = ' ';
	return len + n;
}

/* "Nov  1 09:30:00", or "2026-11-01T09:30:00+01:00"; made once in a second. */
static struct slice
stamp(bool rfc5424)
{
	static char texts[2][STAMP_BYTES];
	static time_t made;
	time_t now = time(NULL);
	struct tm tm;

	if (now != made && localtime_r(&now, &tm) != NULL) {
		int east = (int)(tm.tm_gmtoff / 60), minutes = east < 0 ? -east : east;
		strftime(texts[0], STAMP_BYTES, "%b %e %H:%M:%S", &tm);
		size_t n = strftime(texts[1], STAMP_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(texts[1] + n, STAMP_BYTES - n, "%c%02d:%02d",
			east < 0 ? '-' : '+', minutes / 60, minutes % 60);
		made = now;
	}
	return slice_str(texts[rfc5424]);
}

/* "alicorn.shop.error"; what would end a tag is replaced in it. */
static struct slice
make_tag(const struct sink *s, const char *kind, char *tag)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./"
				      "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *name = s->facts.tag;
	bool has_own_field = s->facts.rfc5424 != 0;

	snprintf(tag, TAG_BYTES, "alicorn%s%.64s%s%s", *name != '\0' ? "." : "", name,
		has_own_field ? "" : ".", has_own_field ? "" : kind);
	for (char *at = tag + strspn(tag, allowed); *at != '\0';
		at += strspn(at, allowed))
		*at = '.';
	return slice_str(tag);
}

static const char *
host_name(void)
{
	static char name[HOST_NAME_MAX + 1];

	if (name[0] == '\0')
		gethostname(name, sizeof(name) - 1);
	return name;
}

/* The host is left out of lines for a local socket, as the C library does it: the
 * readers of /dev/log look for the tag in its place. RFC 5424 has a place for it. */
static size_t
make_syslog(const struct sink *s, char *out, size_t room, const struct sink_line *line)
{
	bool is_local = strncmp(s->facts.to, "unix:", 5) == 0;
	size_t before = s->is_stream ? 0 : sizeof(uint32_t);
	char tag[TAG_BYTES], *text = out + before;
	const char *kind = line->is_access ? "access" : "error";
	struct syslog_head head = {
		.facility = s->facility,
		.severity = severities[line->level],
		.when = stamp(s->facts.rfc5424 != 0),
		.host = slice_str(is_local && !s->facts.rfc5424 ? "" : host_name()),
		.tag = make_tag(s, kind, tag),
		.pid = line->pid,
		.kind = slice_str(kind),
	};

	room -= before + 1;
	size_t len = s->facts.rfc5424 ? syslog_write_head_5424(text, room, &head)
				      : syslog_write_head(text, room, &head);
	len = append(text, len, room, line->text);
	if (!s->is_stream)
		return frame(out, len);
	text[len] = '\n';
	return len + 1;
}

/* The native protocol of systemd's journal: a field in each line of a datagram. */
static size_t
make_journal(const struct sink *s, char *out, size_t room, const struct sink_line *line)
{
	char head[256], *text = out + sizeof(uint32_t);
	const char *name = s->facts.tag;

	room -= sizeof(uint32_t) + 1;
	int n = snprintf(head, sizeof(head),
		"PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%d\n",
		(int)severities[line->level], *name != '\0' ? name : "alicorn",
		line->pid);
	size_t len = (size_t)n < sizeof(head) ? (size_t)n : sizeof(head) - 1;
	memcpy(text, head, len);
	if (*line->app != '\0') {
		n = snprintf(
			text + len, room - len, "ALICORN_POOL=%.128s\n", line->app);
		len += (size_t)n;
	}
	memcpy(text + len, "MESSAGE=", 8);
	len = append(text, len + 8, room, line->text);
	text[len++] = '\n';
	return frame(out, len);
}

/* ---- The socket ---- */

static void
set_path(struct sink *s, struct slice path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	if (path.len < sizeof(name.sun_path))
		memcpy(name.sun_path, path.ptr, path.len);
	memcpy(&s->address, &name, sizeof(name));
	s->address_len = sizeof(name);
}

void
sink_socket_init(struct sink *s)
{
	struct syslog_address a;

	s->is_stream = false;
	s->facility = syslog_facility(s->facts.facility);
	if (s->facts.kind == SINK_JOURNAL)
		set_path(s, slice_str(s->facts.to));
	else if (syslog_parse(&a, s->facts.to) == NULL) {
		s->is_stream = a.is_stream;
		if (a.is_local)
			set_path(s, a.host);
	}
}

/* NULL when it is known; else errno is EAGAIN while it is looked for. */
static const char *
find_address(struct sink *s)
{
	int type = s->is_stream ? SOCK_STREAM : SOCK_DGRAM;
	struct syslog_address a;
	const char *why = "the host is looked up";

	if (s->address_len > 0)
		return NULL;
	if (s->resolver == NULL && (why = syslog_parse(&a, s->facts.to)) == NULL) {
		s->resolver = resolver_begin(a.host, a.port, type);
		why = "no thread to look the host up";
	}
	errno = s->resolver != NULL ? EAGAIN : EIO;
	if (s->resolver == NULL)
		return why;
	int got = resolver_ask(s->resolver, &s->address, &s->address_len, &why);
	if (got == 0)
		return why;
	resolver_end(s->resolver);
	s->resolver = NULL;
	errno = EIO;
	return got == 1 ? NULL : why;
}

static void
close_socket(struct sink *s)
{
	if (s->file.fd != -1)
		close(s->file.fd);
	s->file.fd = -1;
	s->done = 0; /* a line that was sent in part is sent anew */
}

static const char *
open_socket(struct sink *s)
{
	const char *why = find_address(s);

	if (why != NULL)
		return why;
	s->file.fd = socket(s->address.ss_family,
		(s->is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK |
			SOCK_CLOEXEC,
		0);
	if (s->file.fd == -1)
		return strerror(errno);
	if (connect(s->file.fd, (struct sockaddr *)&s->address, s->address_len) == 0 ||
		errno == EINPROGRESS)
		return NULL;
	int saved = errno;
	close_socket(s);
	errno = saved == EAGAIN ? ECONNREFUSED : saved;
	return strerror(saved);
}

/* UDP may report on one line that the one before it was not wanted; that socket stays
 * good. */
static bool
is_of_the_line_before(const struct sink *s)
{
	return errno == ECONNREFUSED && !s->is_stream &&
		s->address.ss_family != AF_UNIX;
}

/* False: errno says why not. */
static bool
send_datagram(struct sink *s, struct slice all)
{
	uint32_t n;

	memcpy(&n, all.ptr, sizeof(n));
	if (send(s->file.fd, all.ptr + sizeof(n), n, MSG_DONTWAIT | MSG_NOSIGNAL) ==
			-1 &&
		errno != EMSGSIZE && !is_of_the_line_before(s))
		return false;
	stock_done(&s->stock, sizeof(n) + n);
	return true;
}

static bool
send_stream(struct sink *s, struct slice all)
{
	ssize_t n = send(s->file.fd, all.ptr + s->done, all.len - s->done,
		MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n == -1)
		return false;
	s->done += (size_t)n;
	const char *lf = memrchr(all.ptr, '\n', s->done);
	size_t whole = lf != NULL ? (size_t)(lf + 1 - all.ptr) : 0;
	stock_done(&s->stock, whole);
	s->done -= whole;
	return true;
}

static const char *
write_socket(struct sink *s)
{
	const char *why = s->file.fd == -1 ? open_socket(s) : NULL;
	struct slice all;

	if (why != NULL)
		return why;
	while ((all = stock_all(&s->stock)).len > 0) {
		if (s->is_stream ? send_stream(s, all) : send_datagram(s, all))
			continue;
		int saved = errno;
		if (saved == EINTR)
			continue;
		if (saved != EAGAIN && saved != ENOBUFS && saved != EINPROGRESS &&
			saved != ENOTCONN)
			close_socket(s);
		errno = saved == ENOBUFS || saved == ENOTCONN ? EAGAIN : saved;
		return strerror(saved);
	}
	return NULL;
}

const struct sink_class sink_class_syslog = { .make = make_syslog,
	.write = write_socket };
const struct sink_class sink_class_journal = { .make = make_journal,
	.write = write_socket };
