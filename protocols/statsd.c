#include "protocols/statsd.h"

#include <inttypes.h>

#include "protocols/http1_guard.h"

/* ---- Addresses ---- */

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
	const char *end = text->len > 0
		? memchr(text->ptr, bracket ? ']' : ':', text->len)
		: NULL;
	if (bracket && end == NULL)
		return "the bracket is not closed";
	*host = slice_of(
		text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len);
	slice_advance(text, host->len + bracket);
	return host->len > 0 ? NULL : "the host is missing";
}

const char *
statsd_parse(struct statsd_address *a, const char *text)
{
	struct slice rest = slice_str(text);

	*a = (struct statsd_address){ .port = SLICE("8125") };
	if (slice_starts(rest, SLICE("unix:"))) {
		slice_advance(&rest, slice_starts(rest, SLICE("unix://")) ? 7 : 5);
		a->is_local = true;
		a->host = rest;
		return rest.len > 0 && *rest.ptr == '/' ? NULL
							: "the path is not absolute";
	}
	const char *reason = take_host(&rest, &a->host);
	if (reason != NULL || rest.len == 0)
		return reason;
	if (*rest.ptr != ':')
		return "behind the bracket comes :PORT or nothing";
	slice_advance(&rest, 1);
	a->port = rest;
	return is_port(rest) ? NULL : "the port is not one from 1 to 65535";
}

/* ---- Lines ---- */

static void
begin(struct buffer *out, const struct statsd_names *names, const char *name)
{
	size_t len = names->prefix != NULL ? strlen(names->prefix) : 0;

	buffer_add(out, names->prefix, len);
	if (len > 0 && names->prefix[len - 1] != '.')
		buffer_add_char(out, '.');
	buffer_add_str(out, name);
	buffer_add_char(out, ':');
}

static void
end(struct buffer *out, const struct statsd_names *names)
{
	if (names->tags != NULL && names->tags[0] != '\0')
		buffer_addf(out, "|#%s", names->tags);
	buffer_add_char(out, '\n');
}

static void
put(struct buffer *out, const struct statsd_names *names, const char *name, uint64_t n,
	const char *type)
{
	begin(out, names, name);
	buffer_addf(out, "%" PRIu64 "|%s", n, type);
	end(out, names);
}

void
statsd_count(struct buffer *out, const struct statsd_names *names, const char *name,
	uint64_t n)
{
	put(out, names, name, n, "c");
}

void
statsd_gauge(struct buffer *out, const struct statsd_names *names, const char *name,
	uint64_t n)
{
	put(out, names, name, n, "g");
}

void
statsd_histogram(struct buffer *out, const struct statsd_names *names, const char *name,
	uint64_t n)
{
	put(out, names, name, n, "h");
}

void
statsd_time(struct buffer *out, const struct statsd_names *names, const char *name,
	uint64_t us, double rate)
{
	begin(out, names, name);
	buffer_addf(out, "%" PRIu64 ".%03u|ms", us / 1000, (unsigned)(us % 1000));
	if (rate < 1)
		buffer_addf(out, "|@%.6f", rate);
	end(out, names);
}
