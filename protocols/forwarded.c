#include "protocols/forwarded.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>

static size_t
behind_last_comma(struct slice list)
{
	const char *comma = list.len > 0 ? memrchr(list.ptr, ',', list.len) : NULL;

	return comma != NULL ? (size_t)(comma + 1 - list.ptr) : 0;
}

/* A comma between quotes is none of the list's; quotes are counted from the left, so
 * the whole list is looked at once. One that a client left open must not hide what a
 * proxy added behind it. */
static size_t
behind_unquoted_comma(struct slice list)
{
	size_t begin = 0;
	bool quoted = false;

	for (size_t i = 0; i < list.len; i++) {
		if (list.ptr[i] == '\\' && quoted)
			i++;
		else if (list.ptr[i] == '"')
			quoted = !quoted;
		else if (list.ptr[i] == ',' && !quoted)
			begin = i + 1;
	}
	return quoted ? behind_last_comma(list) : begin;
}

static struct slice
unquote(struct slice s)
{
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return slice_of(s.ptr + 1, s.len - 2);
	return s;
}

/* The value of the parameter "for" of a forwarded-element. */
static struct slice
find_for(struct slice element)
{
	while (element.len > 0) {
		const char *end = memchr(element.ptr, ';', element.len);
		size_t n = end != NULL ? (size_t)(end - element.ptr) : element.len;
		struct slice pair = slice_trim(slice_of(element.ptr, n));
		if (pair.len > 4 && slice_caseeq(slice_of(pair.ptr, 4), SLICE("for=")))
			return unquote(slice_of(pair.ptr + 4, pair.len - 4));
		slice_advance(&element, end != NULL ? n + 1 : n);
	}
	return (struct slice){ 0 };
}

bool
forwarded_last(enum forwarded_syntax syntax, struct slice *list, struct slice *node)
{
	if (list->len == 0)
		return false;
	size_t begin = syntax == FORWARDED_RFC7239 ? behind_unquoted_comma(*list)
						   : behind_last_comma(*list);
	*node = slice_trim(slice_of(list->ptr + begin, list->len - begin));
	if (syntax == FORWARDED_RFC7239)
		*node = find_for(*node);
	list->len = begin > 0 ? begin - 1 : 0;
	return true;
}

/* Digits, up to 65535; nothing is 0. */
static bool
read_port(struct slice digits, in_port_t *port)
{
	unsigned number = 0;

	for (size_t i = 0; i < digits.len; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9' || i == 5)
			return false;
		number = number * 10 + (unsigned)(digits.ptr[i] - '0');
	}
	*port = htons((in_port_t)number);
	return number <= UINT16_MAX;
}

/* Splits "host:port", "[host]:port" and what has no port. */
static bool
split(struct slice node, struct slice *host, struct slice *port)
{
	bool bracket = node.len > 0 && node.ptr[0] == '[';
	const char *end = memchr(node.ptr, bracket ? ']' : ':', node.len);

	*port = (struct slice){ 0 };
	*host = node;
	if (bracket && end == NULL)
		return false;
	/* Two colons and no bracket: an IPv6 address by itself. */
	if (!bracket && (end == NULL || end != memrchr(node.ptr, ':', node.len)))
		return true;
	*host = slice_of(node.ptr + bracket, (size_t)(end - node.ptr) - bracket);
	slice_advance(&node, (size_t)(end - node.ptr) + bracket);
	if (node.len > 0 && node.ptr[0] != ':')
		return false;
	if (node.len > 0)
		*port = slice_of(node.ptr + 1, node.len - 1);
	return true;
}

bool
forwarded_address(struct slice node, union proxy_address *a)
{
	struct slice host, port;
	char text[INET6_ADDRSTRLEN];

	*a = (union proxy_address){ 0 };
	if (node.len == 0 || !split(node, &host, &port) || host.len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%" SLICE_FMT, SLICE_ARG(host));
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		return read_port(port, &a->v4.sin_port);
	}
	if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) != 1)
		return false;
	a->v6.sin6_family = AF_INET6;
	return read_port(port, &a->v6.sin6_port);
}
