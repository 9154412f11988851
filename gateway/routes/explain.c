#include "gateway/routes/explain.h"

#include <inttypes.h>
#include <string.h>

#include "gateway/routes/path.h"
#include "gateway/routes/question.h"
#include "gateway/routes/redirect.h"
#include "gateway/routes/table.h"

/* What would spoil a terminal is escaped. */
static void
add_text(struct buffer *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c < 0x20 || c == 0x7f)
			buffer_addf(out, "\\x%02x", c);
		else
			buffer_add_char(out, (char)c);
	}
}

static void
add_quoted(struct buffer *out, struct slice text)
{
	buffer_add_char(out, '"');
	add_text(out, text);
	buffer_add_char(out, '"');
}

/* ---- Who listens there ---- */

/* Who gets what comes by an address: a site, or an application alone. */
struct place {
	const struct site *site;
	const struct app_settings *app; /* of a site, its front */
	const struct address *address;
	int rank; /* how well it fits; 0: not at all */
};

/* A port that was said must be there. One that was not may be that of a proxy, and what
 * kind of socket another one is, is not known. */
static int
rank_of(const struct question *q, const struct address *address)
{
	bool is_https = slice_eq(q->scheme, SLICE("https"));
	struct slice port = q->port, host = q->host;

	if (address->kind != ADDRESS_TCP)
		return 1;
	if (port.len == 0)
		port = is_https ? SLICE("443") : SLICE("80");
	if (!slice_eq(port, slice_str(address->port)))
		return q->port.len == 0 ? 1 : 0;
	if (slice_starts(host, SLICE("[")))
		host = slice_of(host.ptr + 1, host.len - 2);
	return slice_caseeq(host, slice_str(address->host)) ? 3 : 2;
}

static void
consider(struct place *best, const struct question *q, const struct site *site,
	const struct app_settings *app)
{
	for (size_t i = 0; i < app->bind.n; i++) {
		int rank = rank_of(q, &app->addresses[i]);
		if (rank > best->rank)
			*best = (struct place){ site, app, &app->addresses[i], rank };
	}
}

static struct place
find_place(const struct config *c, const struct question *q)
{
	struct place best = { 0 };

	for (size_t i = 0; i < c->n_sites; i++)
		consider(&best, q, &c->sites[i], c->sites[i].front);
	for (size_t i = 0; i < c->n_apps; i++)
		if (c->apps[i].site == NULL)
			consider(&best, q, NULL, &c->apps[i]);
	return best;
}

/* ---- Why not ---- */

enum { CRITERIA = 5 };

/* The members of struct route_criteria; each begins with its texts. The request's value
 * stands between the two pieces of text. */
static const struct criterion {
	size_t offset, size;
	const char *before, *behind;
} criteria[CRITERIA] = {
#define CRITERION(name, ...) \
	{ \
		offsetof(struct route_criteria, name), \
			sizeof((struct route_criteria *)NULL)->name, __VA_ARGS__ \
	}
	CRITERION(host, "host ", " is not "),
	CRITERION(path, "path ", " is not "),
	CRITERION(method, "method ", " is not "),
	CRITERION(header, "there is no field", " "),
	CRITERION(source, "client ", " is not in "),
#undef CRITERION
};

static bool
holds(const struct route_criteria *c, const struct route_request *request)
{
	struct route_table *t = route_table_new(c, 1);
	bool found = t != NULL && route_table_match(t, request) == 0;

	route_table_free(t);
	return found;
}

static void
add_texts(struct buffer *out, const struct text_list *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		buffer_addf(out, "%s%s", i > 0 ? " or " : "", texts->items[i]);
}

/* Each criterion that does not hold; false: all do. */
static bool
add_obstacles(struct buffer *out, const struct route_criteria *all,
	const struct question *q, const struct route_request *request)
{
	const struct slice values[CRITERIA] = { q->host.len > 0 ? q->host
								: SLICE("(none)"),
		q->path, q->head.method, { 0 }, slice_str(q->client_text) };
	const char *between = "";

	for (size_t i = 0; i < CRITERIA; i++) {
		const struct criterion *c = &criteria[i];
		struct route_criteria only = { 0 };
		const char *member = (const char *)all + c->offset;
		memcpy((char *)&only + c->offset, member, c->size);
		if (holds(&only, request))
			continue;
		buffer_addf(out, "%s%s", between, c->before);
		add_text(out, values[i]);
		buffer_add_str(out, c->behind);
		add_texts(out, (const struct text_list *)(const void *)member);
		between = ", ";
	}
	return *between != '\0';
}

/* ---- What becomes of it ---- */

/* What a mount takes off, and what is left. */
static void
add_names(struct buffer *out, struct slice mount, struct slice rest)
{
	buffer_add_str(out, ", SCRIPT_NAME ");
	add_quoted(out, mount);
	buffer_add_str(out, ", PATH_INFO ");
	add_quoted(out, rest);
}

static void
add_redirect(struct buffer *out, const struct route *route, const struct question *q)
{
	const struct redirect_facts facts = {
		.scheme = q->scheme,
		.host = q->head.authority,
		.raw_path = q->head.path,
		.query = q->head.query,
		.path = q->path,
		.rest = redirect_rest(&route->path, q->path),
	};

	buffer_addf(out, "redirect with %" PRId64 " to ",
		route->status != 0 ? route->status : 302);
	redirect_expand(out, slice_str(route->redirect), &facts);
}

/* Where an application comes next, files are asked for what they can have. */
static bool
asks_files(const struct route *route, const struct question *q)
{
	return route->files != NULL &&
		(route->app == NULL || slice_eq(q->head.method, SLICE("GET")) ||
			slice_eq(q->head.method, SLICE("HEAD")));
}

static void
add_file(struct buffer *out, const struct route *route, struct slice rest)
{
	struct buffer path = { 0 };

	buffer_addf(&path, "%s%" SLICE_FMT, route->files, SLICE_ARG(rest));
	buffer_add_str(out, "file ");
	add_quoted(out, buffer_slice(&path));
	if (route->app != NULL)
		buffer_add_str(out, " or, if there is none, ");
	buffer_release(&path);
}

static void
add_outcome(struct buffer *out, const struct route *route, const struct question *q)
{
	struct slice mount = slice_str(route->mount != NULL ? route->mount : "");
	struct slice rest = q->path;

	if (!route_mount(q->path, mount, &rest))
		mount.len = 0;
	if (asks_files(route, q))
		add_file(out, route, rest);
	if (route->app != NULL)
		buffer_addf(out, "application %s", route->app);
	else if (route->fastcgi != NULL)
		buffer_addf(out, "FastCGI program at %s", route->fastcgi);
	else if (route->redirect != NULL)
		add_redirect(out, route, q);
	else if (route->files == NULL)
		buffer_addf(out, "status %" PRId64, route->status);
	if (route->app != NULL || route->fastcgi != NULL)
		add_names(out, mount, rest);
	buffer_add_char(out, '\n');
}

/* ---- All of it ---- */

static bool
explain_route(struct buffer *out, const struct route *route, size_t number,
	const struct question *q)
{
	const struct route_criteria all = { route->host, route->path, route->method,
		route->header, route->source };
	const struct route_request request = {
		.host = q->head.authority,
		.path = q->path,
		.method = q->head.method,
		.client = &q->client.any,
	};

	buffer_addf(out, "route %zu at %s:%u: ", number, route->origin.source,
		route->origin.line);
	bool matches = !add_obstacles(out, &all, q, &request);
	buffer_add_str(out, matches ? "matches\n" : "\n");
	if (matches)
		add_outcome(out, route, q);
	return matches;
}

static bool
explain_site(struct buffer *out, const struct site *site, const struct question *q)
{
	for (size_t i = 0; i < site->n_routes; i++)
		if (explain_route(out, &site->routes[i], i + 1, q))
			return true;
	buffer_add_str(out, "no route matches: status 404\n");
	return false;
}

static bool
explain_place(struct buffer *out, const struct place *place, const struct question *q)
{
	if (place->rank == 0) {
		buffer_addf(out, "nobody listens at port %" SLICE_FMT "\n",
			SLICE_ARG(q->port));
		return false;
	}
	buffer_addf(out, "%s listens at %s\n", place->app->name,
		address_text(place->address));
	if (place->site != NULL)
		return explain_site(out, place->site, q);
	buffer_addf(out, "application %s", place->app->name);
	add_names(out, (struct slice){ "", 0 }, q->path);
	buffer_add_char(out, '\n');
	return true;
}

const char *
explain(const struct config *c, struct buffer *out, bool *found)
{
	struct question q;
	const char *reason = question_read(&q, c->explain, c->explain_from);

	*found = false;
	if (reason == NULL) {
		struct place place = find_place(c, &q);
		*found = explain_place(out, &place, &q);
	}
	question_release(&q);
	return reason;
}
