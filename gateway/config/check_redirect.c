/*
 * Where a route redirects to: a text with variables.
 */
#include <string.h>

#include "gateway/config/routes.h"
#include "gateway/config/text.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

static const char variables[] = "host|path|query|uri|scheme|rest";

/* Whether each path of the route has a '*' that $rest could stand for. */
static bool
has_rest(const struct route *route)
{
	for (size_t i = 0; i < route->path.n; i++)
		if (!path_is_prefix(route->path.items[i]))
			return false;
	return route->path.n > 0;
}

static const char *
check_variable(struct load *l, const struct route *route, struct slice name)
{
	struct slice words = slice_str(variables), word;

	while (text_next_word(&words, &word))
		if (slice_eq(word, name))
			return slice_eq(name, SLICE("rest")) && !has_rest(route)
				? "$rest needs a path such as /old/*"
				: NULL;
	return text_format(&l->config->memory,
		"there is no variable $%" SLICE_FMT
		", but $scheme, $host, $path, $query, $uri, $rest, and $$ for a dollar",
		SLICE_ARG(name));
}

static const char *
check_variables(struct load *l, const struct route *route)
{
	const char *at = route->redirect, *reason = NULL;

	while (reason == NULL && (at = strchr(at, '$')) != NULL) {
		size_t len = strspn(++at, LETTERS);
		if (*at == '$')
			len = 1;
		else
			reason = check_variable(l, route, slice_of(at, len));
		at += len;
	}
	return reason;
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* $path and $uri begin with one '/'. Behind another one they would name a host, and so
 * would they where one belongs. */
static bool
is_location(const char *text)
{
	static const char *const schemes[] = { "http://", "https://", "$scheme://" };

	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (begins(text, schemes[i])) {
			text += strlen(schemes[i]);
			return begins(text, "$host") ||
				(*text != '\0' && strchr("/$?#", *text) == NULL);
		}
	return begins(text, "$path") || begins(text, "$uri") ||
		(text[0] == '/' && !begins(text, "//") &&
			(text[1] != '$' || text[2] == '$'));
}

static bool
is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
			return false;
	return true;
}

void
check_redirect(struct load *l, const struct route *route)
{
	static const char allowed[] = "|301|302|303|307|308|";
	const char *text = route->redirect, *reason = NULL;

	if (text == NULL)
		return;
	if (!is_location(text))
		reason = "not a path, nor a URL with http://, https:// or $scheme:// "
			 "and a host; what begins with // or /$ could name another one";
	else if (!is_plain(text))
		reason = "it has a byte that no URL has";
	else
		reason = check_variables(l, route);
	if (reason != NULL)
		load_fault(l, &route->origins[ROUTE_redirect], "redirect: \"%s\": %s",
			text, reason);
	const char *status =
		text_format(&l->config->memory, "|%d|", (int)route->status);
	if (route->status != 0 && strstr(allowed, status) == NULL)
		load_fault(l, &route->origins[ROUTE_status],
			"status: %d is not one of 301, 302, 303, 307 and 308, which "
			"are those of a redirect",
			(int)route->status);
}
