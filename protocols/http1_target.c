/* The request target, in its forms (RFC 9112 section 3.2), and methods. */
#include "protocols/http1_guard.h"

#include <arpa/inet.h>

/*
 * The methods of the IANA registry, and those that are in use without it, the frequent
 * ones first. Left out are PRI, which is the preface of HTTP/2, and CONNECT: this is no
 * proxy, for no target, which is what 501 says; 405 would speak of one resource and
 * name the methods that it has (RFC 9110 sections 9.1, 15.5.6, 15.6.2).
 */
static const struct slice methods[] = {
	SLICE_INIT("GET"),
	SLICE_INIT("POST"),
	SLICE_INIT("HEAD"),
	SLICE_INIT("PUT"),
	SLICE_INIT("DELETE"),
	SLICE_INIT("OPTIONS"),
	SLICE_INIT("PATCH"),
	SLICE_INIT("PROPFIND"),
	SLICE_INIT("REPORT"),
	SLICE_INIT("QUERY"),
	SLICE_INIT("ACL"),
	SLICE_INIT("BASELINE-CONTROL"),
	SLICE_INIT("BIND"),
	SLICE_INIT("CHECKIN"),
	SLICE_INIT("CHECKOUT"),
	SLICE_INIT("COPY"),
	SLICE_INIT("LABEL"),
	SLICE_INIT("LINK"),
	SLICE_INIT("LOCK"),
	SLICE_INIT("M-SEARCH"),
	SLICE_INIT("MERGE"),
	SLICE_INIT("MKACTIVITY"),
	SLICE_INIT("MKCALENDAR"),
	SLICE_INIT("MKCOL"),
	SLICE_INIT("MKREDIRECTREF"),
	SLICE_INIT("MKWORKSPACE"),
	SLICE_INIT("MOVE"),
	SLICE_INIT("NOTIFY"),
	SLICE_INIT("ORDERPATCH"),
	SLICE_INIT("PROPPATCH"),
	SLICE_INIT("PURGE"),
	SLICE_INIT("REBIND"),
	SLICE_INIT("SEARCH"),
	SLICE_INIT("SUBSCRIBE"),
	SLICE_INIT("TRACE"),
	SLICE_INIT("UNBIND"),
	SLICE_INIT("UNCHECKOUT"),
	SLICE_INIT("UNLINK"),
	SLICE_INIT("UNLOCK"),
	SLICE_INIT("UNSUBSCRIBE"),
	SLICE_INIT("UPDATE"),
	SLICE_INIT("UPDATEREDIRECTREF"),
	SLICE_INIT("VERSION-CONTROL"),
};

int
http1_check_method(struct http1_decoder *d, const struct http1_head *head)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (slice_eq(head->method, methods[i]))
			return 0;
	}
	return http1_refuse(d, 501, "method is not implemented");
}

/* The text between '[' and ']'. */
static bool
is_ipv6(struct slice s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (s.len >= sizeof(text))
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* What may follow a host: nothing, or a colon and perhaps a port. */
static bool
is_port(struct slice s)
{
	uint64_t port = 0;

	if (s.len == 0)
		return true;
	if (s.ptr[0] != ':')
		return false;
	slice_advance(&s, 1);
	return s.len == 0 || (http1_number(s, &port) && port <= 65535);
}

bool
http1_is_authority(struct slice s)
{
	size_t host = 0;

	if (s.len > 0 && s.ptr[0] == '[') {
		const char *end = memchr(s.ptr, ']', s.len);
		if (end == NULL)
			return false;
		host = (size_t)(end - s.ptr) + 1;
		if (!is_ipv6(slice_of(s.ptr + 1, host - 2)))
			return false;
	} else {
		while (host < s.len &&
			(http1_class[(unsigned char)s.ptr[host]] & HTTP1_HOST) != 0)
			host++;
		if (host == 0 || !http1_percents(slice_of(s.ptr, host)))
			return false;
	}
	slice_advance(&s, host);
	return is_port(s);
}

/* The length of "http://" or "https://", or 0 when the target begins otherwise. */
static size_t
scheme_length(struct slice target)
{
	size_t n = target.len > 4 && (target.ptr[4] | 0x20) == 's' ? 8 : 7;

	if (target.len < n ||
		strncasecmp(target.ptr, n == 8 ? "https://" : "http://", n) != 0)
		return 0;
	return n;
}

/* Takes the authority from the front of the rest of an absolute-form target. */
static int
split_authority(struct http1_decoder *d, struct http1_head *head, struct slice *rest)
{
	size_t n = 0;

	while (n < rest->len && rest->ptr[n] != '/' && rest->ptr[n] != '?')
		n++;
	head->authority = slice_of(rest->ptr, n);
	/* Userinfo, too, fails here (RFC 9110 section 4.2.4). */
	if (!http1_is_authority(head->authority))
		return http1_refuse(d, 400, "bad authority in the target");
	slice_advance(rest, n);
	return 0;
}

static void
split_path(struct http1_head *head, struct slice rest)
{
	const char *mark = rest.len > 0 ? memchr(rest.ptr, '?', rest.len) : NULL;
	size_t n = mark != NULL ? (size_t)(mark - rest.ptr) : rest.len;

	head->path = slice_of(rest.ptr, n);
	slice_advance(&rest, mark != NULL ? n + 1 : n);
	head->query = rest;
	/* An empty path is the root, and of OPTIONS the whole server, unless there is a
	 * query (RFC 9110 section 4.2.3, RFC 9112 section 3.2.4). */
	if (n == 0 && mark == NULL && slice_eq(head->method, SLICE("OPTIONS")))
		head->path = SLICE("*");
	else if (n == 0)
		head->path = SLICE("/");
}

int
http1_split_target(struct http1_decoder *d, struct http1_head *head)
{
	struct slice rest = head->target;

	head->authority = (struct slice){ 0 };
	if (slice_eq(rest, SLICE("*"))) {
		if (!slice_eq(head->method, SLICE("OPTIONS")))
			return http1_refuse(d, 400, "* is a target of OPTIONS only");
	} else if (rest.ptr[0] != '/') {
		size_t n = scheme_length(rest);
		if (n == 0)
			return http1_refuse(
				d, 400, "target is neither a path nor a URI");
		slice_advance(&rest, n);
		int status = split_authority(d, head, &rest);
		if (status != 0)
			return status;
	}
	split_path(head, rest);
	return 0;
}
