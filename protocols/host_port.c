#include "protocols/host_port.h"

#include <stdint.h>

#include "protocols/http1_guard.h"

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
host_port_parse(struct slice text, struct slice *host, struct slice *port)
{
	const char *reason = take_host(&text, host);

	if (reason != NULL || text.len == 0)
		return reason;
	if (*text.ptr != ':')
		return "behind the bracket comes :PORT or nothing";
	slice_advance(&text, 1);
	*port = text;
	return is_port(text) ? NULL : "the port is not one from 1 to 65535";
}
