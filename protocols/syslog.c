#include "protocols/syslog.h"

#include <stdint.h>

#include "protocols/host_port.h"
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
	return host_port_parse(slice_str(text + 6), &a->host, &a->port);
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
