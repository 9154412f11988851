#include "protocols/syslog.h"

#include <stdint.h>

#include "protocols/http1_guard.h"

/* ---- Addresses ---- */

static const char *
parse_path(struct syslog_address *a, struct slice path)
{
	const char *hash = memchr(path.ptr, '#', path.len);

	a->is_local = true;
	if (slice_starts(path, SLICE("//")))
		slice_advance(&path, 2);
	if (hash != NULL) {
		struct slice kind = slice_str(hash + 1);
		a->is_stream = slice_eq(kind, SLICE("stream"));
		if (!a->is_stream && !slice_eq(kind, SLICE("dgram")))
			return "behind # stands neither stream nor dgram";
		path.len = (size_t)(hash - path.ptr);
	}
	a->host = path;
	return path.len > 0 && *path.ptr == '/' ? NULL : "the path is not absolute";
}

static bool
is_port(struct slice port)
{
	uint64_t number;

	return http1_number(port, &number) && number > 0 && number < 65536;
}

/* Takes the host off; the brackets of [V6] too. */
static const char *
take_host(struct slice *text, struct slice *host)
{
	bool bracket = text->len > 0 && *text->ptr == '[';

	slice_advance(text, bracket);
	const char *end = memchr(text->ptr, bracket ? ']' : ':', text->len);
	if (bracket && end == NULL)
		return "the bracket is not closed";
	*host = slice_of(
		text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len);
	slice_advance(text, host->len + bracket);
	return host->len > 0 ? NULL : "the host is missing";
}

static const char *
parse_host(struct syslog_address *a, struct slice text)
{
	const char *reason = take_host(&text, &a->host);

	if (reason != NULL || text.len == 0)
		return reason;
	if (*text.ptr != ':')
		return "behind the bracket comes :PORT or nothing";
	slice_advance(&text, 1);
	a->port = text;
	return is_port(text) ? NULL : "the port is not one from 1 to 65535";
}

const char *
syslog_parse(struct syslog_address *a, const char *text)
{
	struct slice rest = slice_str(text);

	*a = (struct syslog_address){ .port = SLICE("514") };
	if (slice_starts(rest, SLICE("unix:")))
		return parse_path(a, slice_str(text + 5));
	a->is_stream = slice_starts(rest, SLICE("tcp://"));
	if (!a->is_stream && !slice_starts(rest, SLICE("udp://")))
		return "it begins with none of udp://, tcp:// and unix:";
	return parse_host(a, slice_str(text + 6));
}

/* ---- Lines ---- */

/* Of RFC 3164 section 4.1.1, by the names that syslog.conf(5) has for them. */
static const struct {
	const char *name;
	int number;
} facilities[] = {
	{ "kern", 0 },
	{ "user", 1 },
	{ "mail", 2 },
	{ "daemon", 3 },
	{ "auth", 4 },
	{ "security", 4 },
	{ "syslog", 5 },
	{ "lpr", 6 },
	{ "news", 7 },
	{ "uucp", 8 },
	{ "cron", 9 },
	{ "authpriv", 10 },
	{ "ftp", 11 },
	{ "local0", 16 },
	{ "local1", 17 },
	{ "local2", 18 },
	{ "local3", 19 },
	{ "local4", 20 },
	{ "local5", 21 },
	{ "local6", 22 },
	{ "local7", 23 },
};

int
syslog_facility(const char *name)
{
	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++)
		if (strcmp(facilities[i].name, name) == 0)
			return facilities[i].number;
	return -1;
}

static size_t
join(char *out, size_t room, const struct slice *parts, size_t n_parts)
{
	size_t len = 0;

	for (size_t i = 0; i < n_parts; i++) {
		size_t n = parts[i].len < room - len ? parts[i].len : room - len;
		if (n > 0)
			memcpy(out + len, parts[i].ptr, n);
		len += n;
	}
	return len;
}

size_t
syslog_write_head(char *out, size_t room, const struct syslog_head *head)
{
	char priority[HTTP1_DIGITS], pid[HTTP1_DIGITS];
	unsigned code = (unsigned)head->facility * 8 + head->severity;
	struct slice parts[] = {
		SLICE("<"),
		http1_digits(priority + sizeof(priority), code, 10),
		SLICE(">"),
		head->when,
		SLICE(" "),
		head->host,
		head->host.len > 0 ? SLICE(" ") : SLICE(""),
		head->tag,
		SLICE("["),
		http1_digits(pid + sizeof(pid), (uint64_t)head->pid, 10),
		SLICE("]: "),
	};

	return join(out, room, parts, sizeof(parts) / sizeof(parts[0]));
}

size_t
syslog_write_head_5424(char *out, size_t room, const struct syslog_head *head)
{
	char priority[HTTP1_DIGITS], pid[HTTP1_DIGITS];
	unsigned code = (unsigned)head->facility * 8 + head->severity;
	struct slice parts[] = {
		SLICE("<"),
		http1_digits(priority + sizeof(priority), code, 10),
		SLICE(">1 "),
		head->when,
		SLICE(" "),
		head->host,
		SLICE(" "),
		head->tag,
		SLICE(" "),
		http1_digits(pid + sizeof(pid), (uint64_t)head->pid, 10),
		SLICE(" "),
		head->kind,
		SLICE(" - "),
	};

	return join(out, room, parts, sizeof(parts) / sizeof(parts[0]));
}
