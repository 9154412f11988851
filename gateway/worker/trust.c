#include "gateway/worker/trust.h"

#include <string.h>

#include "gateway/logger/log.h"
#include "gateway/worker/self.h"
#include "protocols/forwarded.h"

void
trust_peer(struct conn *c)
{
	const struct app_settings *s = c->settings;

	c->trusted = c->peer.any.sa_family == AF_UNIX ||
		networks_hold(s->forwarded_allow_ips.networks,
			s->forwarded_allow_ips.texts.n, &c->peer.any);
	c->introduced = strcmp(s->proxy_protocol, "off") == 0;
}

/* ---- The PROXY protocol ---- */

static unsigned
versions(const struct conn *c)
{
	static const struct {
		const char *setting;
		unsigned versions;
	} rows[] = {
		{ "v1", PROXY_V1 },
		{ "v2", PROXY_V2 },
		{ "auto", PROXY_V1 | PROXY_V2 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(c->settings->proxy_protocol, rows[i].setting) == 0)
			return rows[i].versions;
	return 0;
}

static bool
may_introduce(const struct conn *c)
{
	const setting_cidrs *allowed = &c->settings->proxy_allow_ips;

	return c->peer.any.sa_family == AF_UNIX ||
		networks_hold(allowed->networks, allowed->texts.n, &c->peer.any);
}

bool
trust_introduction(struct conn *c, unsigned *status)
{
	struct buffer *input = &c->req->input;
	struct proxy_header header;
	int n = proxy_decode(&header, versions(c), buffer_slice(input));

	*status = 0;
	if (n == 0)
		return false;
	c->introduced = true;
	if (n == PROXY_NONE)
		return true;
	if (n == PROXY_BAD || !may_introduce(c)) {
		*status = n == PROXY_BAD ? 400 : 403;
		log_info("refused a PROXY header with %u: %s", *status,
			n == PROXY_BAD ? header.error : "not in proxy_allow_ips");
		return false;
	}
	if (header.client.any.sa_family != AF_UNSPEC) {
		c->peer = header.client;
		c->proxied = header.server;
	}
	buffer_consume(input, (size_t)n);
	return true;
}

/* ---- Fields ---- */

/* "*" stands for all names. */
static bool
is_listed(struct text_list names, struct slice name)
{
	for (size_t i = 0; i < names.n; i++)
		if (strcmp(names.items[i], "*") == 0 ||
			slice_caseeq(slice_str(names.items[i]), name))
			return true;
	return false;
}

/* The value that means https when this is one of secure_scheme_headers. */
static const char *
secure_value(const struct conn *c, struct slice name)
{
	struct text_list rows = c->settings->secure_scheme_headers;

	for (size_t i = 0; i < rows.n; i++) {
		const char *row = rows.items[i];
		if (slice_begin_alike(row, name.ptr) &&
			strncasecmp(row, name.ptr, name.len) == 0 &&
			row[name.len] == '=')
			return row + name.len + 1;
	}
	return NULL;
}

/* Two fields that disagree: the proxy lets its clients' own through. */
static unsigned
read_scheme(struct al_request *req, const struct http1_field *field, bool *told)
{
	const char *secure = secure_value(req->conn, field->name);

	if (secure == NULL)
		return 0;
	bool is_https = slice_eq(field->value, slice_str(secure));
	if (*told && is_https != req->is_https) {
		log_info("refused a request with 400: its scheme is told in two ways");
		return 400;
	}
	*told = true;
	req->is_https = is_https;
	return 0;
}

/* The path must go on behind it, at a '/'. */
static unsigned
read_script_name(struct al_request *req, struct slice name)
{
	struct slice *path = &req->head.path;

	if (name.len == 0 || slice_eq(name, SLICE("/")))
		return 0;
	if (!slice_starts(*path, name) ||
		(path->len > name.len && path->ptr[name.len] != '/')) {
		log_error("%s: SCRIPT_NAME %" SLICE_FMT
			  " is not the beginning of %" SLICE_FMT,
			self.settings->name, SLICE_ARG(name), SLICE_ARG(*path));
		return 500;
	}
	req->script_name = arena_strz(&req->arena, name);
	slice_advance(path, name.len);
	return req->script_name != NULL ? 0 : 500;
}

/* ---- Whom a proxy forwards for ---- */

enum { HOPS_MAX = 32 }; /* proxies that are followed */

/* Goes back through one field line; true: somebody who is no proxy of ours is found. */
static bool
follow(struct al_request *req, enum forwarded_syntax syntax, struct slice list,
	int *hops)
{
	const setting_cidrs *proxies = &req->conn->settings->forwarded_allow_ips;
	union proxy_address address;
	struct slice node;

	while (forwarded_last(syntax, &list, &node)) {
		if (++*hops > HOPS_MAX || !forwarded_address(node, &address))
			return true;
		req->client = address;
		if (!networks_hold(proxies->networks, proxies->texts.n, &address.any))
			return true;
	}
	return false;
}

static void
find_client(struct al_request *req)
{
	static const struct {
		const char *setting;
		struct slice field;
		enum forwarded_syntax syntax;
	} rows[] = {
		{ "x-forwarded-for", SLICE_INIT("X-Forwarded-For"), FORWARDED_X_FOR },
		{ "forwarded", SLICE_INIT("Forwarded"), FORWARDED_RFC7239 },
	};
	const struct http1_head *head = &req->head;
	int hops = 0;

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		if (strcmp(req->conn->settings->client_address, rows[k].setting) != 0)
			continue;
		for (size_t i = head->n_fields; i-- > 0;)
			if (slice_caseeq(head->fields[i].name, rows[k].field) &&
				follow(req, rows[k].syntax, head->fields[i].value,
					&hops))
				return;
	}
}

/* A name that would pass for another one in the environ. */
static unsigned
judge_name(struct al_request *req, const struct http1_field *field, bool *wanted)
{
	const struct app_settings *s = req->conn->settings;
	const char *policy = s->header_map;

	if (req->conn->trusted && is_listed(s->forwarder_headers, field->name)) {
		*wanted = true;
		bool is_script = slice_caseeq(field->name, SLICE("SCRIPT_NAME"));
		return is_script ? read_script_name(req, field->value) : 0;
	}
	*wanted = strcmp(policy, "dangerous") == 0;
	if (strcmp(policy, "refuse") != 0)
		return 0;
	log_info("refused a request with 400: field %" SLICE_FMT " has an underscore",
		SLICE_ARG(field->name));
	return 400;
}

/* The first time it is said in the log: what an application misses should be found. */
static void
drop(const struct http1_field *field)
{
	uint64_t dropped = atomic_fetch_add_explicit(
		&self.slot->dropped_fields, 1, memory_order_relaxed);

	if (dropped == 0)
		log_warning("%s: dropped the field %" SLICE_FMT
			    ", whose name has an underscore (header_map); "
			    "more are only counted",
			self.settings->name, SLICE_ARG(field->name));
}

unsigned
trust_request(struct al_request *req)
{
	struct http1_head *head = &req->head;
	bool told = false;
	size_t kept = 0;
	unsigned status = 0;

	for (size_t i = 0; i < head->n_fields && status == 0; i++) {
		const struct http1_field *field = &head->fields[i];
		bool wanted = true;
		if (memchr(field->name.ptr, '_', field->name.len) != NULL)
			status = judge_name(req, field, &wanted);
		else if (req->conn->trusted)
			status = read_scheme(req, field, &told);
		if (!wanted)
			drop(field);
		else if (kept++ < i)
			head->fields[kept - 1] = *field;
	}
	head->n_fields = kept;
	if (req->conn->trusted && status == 0)
		find_client(req);
	return status;
}
