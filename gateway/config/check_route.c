/*
 * One route: the texts of its criteria, its action, and whether it can be reached.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "gateway/config/routes.h"
#include "gateway/config/text.h"
#include "protocols/http1.h"
#include "protocols/http1_guard.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* ---- Criteria ---- */

/* Each returns NULL, or what is wrong with an item. */
typedef const char *item_fn(const char *text);

static bool
is_host_name(const char *text)
{
	size_t len = strspn(text, LETTERS "0123456789.-_");

	return len > 0 && text[len] == '\0' && *text != '.';
}

static bool
is_v6(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	size_t len = strlen(text);

	if (len < 2 || len - 2 >= sizeof address || text[len - 1] != ']')
		return false;
	memcpy(address, text + 1, len - 2);
	address[len - 2] = '\0';
	return inet_pton(AF_INET6, address, &v6) == 1;
}

static const char *
check_host(const char *text)
{
	if (strcmp(text, "*") == 0 || (*text == '[' && is_v6(text)))
		return NULL;
	if (strchr(text, ':') != NULL)
		return "a host has no port here, and an IPv6 address has brackets: "
		       "[::1]";
	if (is_host_name(strncmp(text, "*.", 2) == 0 ? text + 2 : text))
		return NULL;
	return "not a host: www.example.org, *.example.org, 10.0.0.1, [::1] or *; "
	       "letters beyond ASCII as the DNS has them, xn--...";
}

/* Requests have lost such parts, and their encoding, when routes are looked at; a path
 * that has them would be none that is ever asked for. */
static const char *
check_spelling(const char *text)
{
	if (strpbrk(text, "?#") != NULL)
		return "the query is no part of a path";
	for (const char *at = text; (at = strchr(at, '%')) != NULL; at++)
		if (http1_hex(at[1]) >= 0 && http1_hex(at[2]) >= 0)
			return "a path is written as it is meant, without %-encoding";
	for (const char *at = text; (at = strchr(at, '/')) != NULL; at++) {
		size_t dots = strspn(at + 1, ".");
		bool ends = at[1 + dots] == '\0' || at[1 + dots] == '/';
		if (at[1] == '/' || (ends && (dots == 1 || dots == 2)))
			return "no path has //, /./ or /../ when routes are looked at";
	}
	return NULL;
}

/* The first '*' is that of the end. */
bool
path_is_prefix(const char *text)
{
	const char *star = strchr(text, '*');

	return *text == '/' && star != NULL && star[-1] == '/' && star[1] == '\0';
}

static const char *
check_path(const char *text)
{
	const char *star = strchr(text, '*');

	if (strcmp(text, "*") == 0)
		return NULL;
	if (*text == '*' ? strchr(text + 1, '*') == NULL
			 : *text == '/' && (star == NULL || path_is_prefix(text)))
		return check_spelling(text);
	return "not a path: /a for this one, /a/* for it and all beneath, *.php for "
	       "all with this end, or *";
}

static const char *
check_method(const char *text)
{
	struct slice method = slice_str(text);

	for (size_t i = 0; i < method.len; i++)
		if (text[i] >= 'a' && text[i] <= 'z')
			return "methods are written in capitals, such as GET";
	return method.len > 0 && http1_token(method) == method.len
		? NULL
		: "not a method, such as GET";
}

static const char *
check_header(const char *text)
{
	struct slice name = slice_str(text);

	return name.len > 0 && http1_token(name) == name.len
		? NULL
		: "not the name of a header field, such as X-Canary";
}

/* What the codec takes and does not send is its own to say. */
static const char *
check_response_header(const char *text)
{
	struct http1_response r = { .length = -1 };
	size_t len = strcspn(text, "=");
	const char *reason = NULL;

	if (http1_response_field(&r, slice_of(text, len), slice_str(text + len + 1)) !=
		0)
		reason = r.error != NULL ? r.error : "not a header field";
	else if (r.fields.len == 0)
		reason = "this field belongs to the server, which knows the length and "
			 "the connection";
	http1_response_release(&r);
	return reason;
}

static void
check_items(struct load *l, const struct route *route)
{
	static const struct {
		enum route_setting row;
		item_fn *check;
	} lists[] = {
		{ ROUTE_host, check_host },
		{ ROUTE_path, check_path },
		{ ROUTE_method, check_method },
		{ ROUTE_header, check_header },
		{ ROUTE_response_headers, check_response_header },
	};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		const struct setting *row = &route_table[lists[i].row];
		const struct text_list *list =
			(const void *)((const char *)route + row->offset);
		for (size_t j = 0; j < list->n; j++) {
			const char *reason = lists[i].check(list->items[j]);
			if (reason != NULL)
				load_fault(l, &route->origins[lists[i].row],
					"%s: \"%s\": %s", row->name, list->items[j],
					reason);
		}
	}
}

/* ---- The action ---- */

static bool
is_said(const struct route *route, enum route_setting row)
{
	return route->origins[row].source != NULL;
}

/* Exactly one says what becomes of the request; files may have an application behind
 * them, and a redirect a status. */
static void
check_action(struct load *l, const struct route *route)
{
	static const enum route_setting actions[] = { ROUTE_files, ROUTE_app,
		ROUTE_fastcgi, ROUTE_redirect, ROUTE_status };
	const struct setting *first = NULL;

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		enum route_setting row = actions[i];
		if (!is_said(route, row))
			continue;
		bool together = first == NULL ||
			(row == ROUTE_app && first == &route_table[ROUTE_files]) ||
			(row == ROUTE_status && first == &route_table[ROUTE_redirect]);
		if (!together) {
			load_fault(l, &route->origins[row],
				"%s beside %s: a route has one of app, files, fastcgi, "
				"redirect and status; only files and app go together",
				route_table[row].name, first->name);
			return;
		}
		first = &route_table[row];
	}
	if (first == NULL)
		load_fault(l, &route->origin,
			"a route says what becomes of a request: app, files, fastcgi, "
			"redirect or status");
}

static void
check_body(struct load *l, const struct route *route)
{
	const struct origin *origin = &route->origins[ROUTE_body];

	if (route->body == NULL)
		return;
	if (!is_said(route, ROUTE_status) || is_said(route, ROUTE_redirect))
		load_fault(l, origin,
			"body has no effect in a route that is no status alone");
	else if (http1_no_body((unsigned)route->status, false))
		load_fault(l, origin, "body: a response of status %d has none",
			(int)route->status);
}

/* ---- The mount ---- */

/* Whether all that the path matches begins with the mount. */
static bool
is_beneath(const char *path, const char *mount)
{
	size_t len = strlen(mount);

	return strncmp(path, mount, len) == 0 &&
		(path[len] == '\0' || path[len] == '/');
}

static void
check_mount(struct load *l, const struct route *route)
{
	const struct origin *origin = &route->origins[ROUTE_mount];
	const char *mount = route->mount;

	if (mount == NULL)
		return;
	if (route->app == NULL && route->files == NULL && route->fastcgi == NULL)
		load_fault(l, origin,
			"mount has no effect in a route without app, files or fastcgi");
	if (strcmp(mount, "/") == 0)
		load_fault(l, origin, "mount: \"/\" is what there is without one");
	else if (*mount != '/' || mount[strlen(mount) - 1] == '/' ||
		strchr(mount, '*') != NULL || check_spelling(mount) != NULL)
		load_fault(l, origin,
			"mount: \"%s\" is not the beginning of a path, such as /blog",
			mount);
	else if (route->path.n == 0)
		load_fault(
			l, origin, "mount: the route has no path, such as %s/*", mount);
	else
		for (size_t i = 0; i < route->path.n; i++)
			if (!is_beneath(route->path.items[i], mount))
				load_fault(l, origin,
					"mount: \"%s\" is not the beginning of the "
					"path %s",
					mount, route->path.items[i]);
}

/* ---- All of it ---- */

void
check_route(struct load *l, const struct route *route)
{
	check_items(l, route);
	check_action(l, route);
	check_body(l, route);
	check_mount(l, route);
	check_redirect(l, route);
}

/* Whether one of the texts, if there are any, matches everything. */
static bool
holds_all(const struct text_list *list, const char *other)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i], "*") == 0 ||
			strcmp(list->items[i], other) == 0)
			return true;
	return list->n == 0;
}

void
check_reach(struct load *l, const struct route *route, const struct route *before)
{
	if (holds_all(&before->host, "*") && holds_all(&before->path, "/*") &&
		before->method.n == 0 && before->header.n == 0 &&
		before->source.texts.n == 0)
		load_fault(l, &route->origin,
			"this route can never be reached: that of %s:%u matches "
			"everything",
			before->origin.source, before->origin.line);
}
