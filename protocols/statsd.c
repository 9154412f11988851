#include "protocols/statsd.h"

#include <inttypes.h>

#include "protocols/host_port.h"

/* ---- Addresses ---- */

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
	return host_port_parse(rest, &a->host, &a->port);
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
