#include "gateway/config/address.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "gateway/config/text.h"

#define DEFAULT_PORT "8000"

enum { HOST_LENGTH = 255 };

/* The host of [V6], perhaps with a zone: fe80::1%eth0. */
static bool
is_v6(struct slice host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	const char *zone = memchr(host.ptr, '%', host.len);
	size_t len = zone != NULL ? (size_t)(zone - host.ptr) : host.len;

	if (len >= sizeof text)
		return false;
	memcpy(text, host.ptr, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* Whether it is a name or an IPv4 address is for the resolver. */
static bool
is_name(struct slice host)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	for (size_t i = 0; i < host.len; i++)
		if (host.ptr[i] == '\0' || strchr(allowed, host.ptr[i]) == NULL)
			return false;
	return host.len > 0 && host.len <= HOST_LENGTH;
}

/* Decimal, without leading zeros, so that equal ports are equal texts. */
static const char *
parse_port(struct address *a, const char *text, struct arena *memory)
{
	size_t len = strspn(text, "0123456789");
	long port =
		len > 0 && len <= 5 && text[len] == '\0' ? strtol(text, NULL, 10) : -1;

	if (port < 0 || port > 65535)
		return text_format(
			memory, "\"%s\" is not a port from 0 to 65535", text);
	a->port = text_format(memory, "%ld", port);
	return NULL;
}

static const char *
parse_v6(struct address *a, const char *text, struct arena *memory)
{
	const char *end = strchr(text, ']');

	if (end == NULL)
		return "the bracket is not closed";
	struct slice host = slice_of(text + 1, (size_t)(end - text - 1));
	if (!is_v6(host))
		return text_format(memory, "\"%" SLICE_FMT "\" is not an IPv6 address",
			SLICE_ARG(host));
	a->host = arena_strz(memory, host);
	if (end[1] == '\0')
		return parse_port(a, DEFAULT_PORT, memory);
	if (end[1] != ':')
		return "after the bracket comes :PORT or nothing";
	return parse_port(a, end + 2, memory);
}

static const char *
parse_tcp(struct address *a, const char *text, struct arena *memory)
{
	const char *colon = strchr(text, ':');
	struct slice host = slice_of(text, strcspn(text, ":"));

	if (colon != NULL && strchr(colon + 1, ':') != NULL)
		return "an IPv6 address is written in brackets: [::1]:8000";
	if (colon == text)
		host = SLICE("0.0.0.0");
	if (!is_name(host))
		return text_format(
			memory, "\"%" SLICE_FMT "\" is not a host", SLICE_ARG(host));
	a->host = arena_strz(memory, host);
	return parse_port(a, colon != NULL ? colon + 1 : DEFAULT_PORT, memory);
}

static const char *
parse_unix(struct address *a, const char *text, struct arena *memory)
{
	a->kind = ADDRESS_UNIX;
	a->port = "";
	if (strncmp(text, "//", 2) == 0)
		text += 2;
	if (*text == '\0')
		return "the path is missing";
	if (strlen(text) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		return "the path is longer than a socket's may be (107 bytes)";
	a->host = arena_strz(memory, slice_str(text));
	return NULL;
}

/* A name is one of systemd.socket(5): it has no colon. */
static const char *
parse_fd(struct address *a, const char *text, struct arena *memory)
{
	a->kind = ADDRESS_FD;
	a->port = "";
	if (*text == '\0' || strpbrk(text, ":/") != NULL)
		return text_format(memory,
			"\"%s\" is neither the number nor the name of a descriptor",
			text);
	a->host = arena_strz(memory, slice_str(text));
	return NULL;
}

static const char *
parse_kind(struct address *a, const char *text, struct arena *memory)
{
	if (strncasecmp(text, "unix:", 5) == 0)
		return parse_unix(a, text + 5, memory);
	if (strncasecmp(text, "fd://", 5) == 0)
		return parse_fd(a, text + 5, memory);
	if (strncasecmp(text, "tcp://", 6) == 0)
		text += 6;
	if (*text == '\0')
		return "the address is missing";
	return *text == '[' ? parse_v6(a, text, memory) : parse_tcp(a, text, memory);
}

const char *
address_parse(struct address *a, const char *text, struct arena *memory)
{
	*a = (struct address){ .kind = ADDRESS_TCP };
	a->text = arena_strz(memory, slice_str(text));
	const char *reason = parse_kind(a, text, memory);
	if (reason != NULL)
		return reason;
	return a->text == NULL || a->host == NULL ? "out of memory" : NULL;
}

bool
address_same(const struct address *a, const struct address *b)
{
	return a->kind == b->kind && strcmp(a->host, b->host) == 0 &&
		strcmp(a->port, b->port) == 0;
}

const char *
address_text(const struct address *a)
{
	static const char *const prefixes[] = {
		[ADDRESS_TCP] = "",
		[ADDRESS_UNIX] = "unix:",
		[ADDRESS_FD] = "fd://",
	};
	static char text[PATH_MAX + 64];
	const char *colon = a->kind == ADDRESS_TCP ? ":" : "";
	bool has_brackets = a->kind == ADDRESS_TCP && strchr(a->host, ':') != NULL;

	snprintf(text, sizeof(text), "%s%s%s%s%s%s", prefixes[a->kind],
		has_brackets ? "[" : "", a->host, has_brackets ? "]" : "", colon,
		a->port);
	return text;
}
