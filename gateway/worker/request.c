/*
 * The request's side of alicorn.h: life of the object, environ, body, log.
 */
#include "gateway/worker/request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/logger/log.h"
#include "gateway/worker/detached.h"
#include "gateway/worker/request_id.h"
#include "gateway/worker/self.h"
#include "gateway/worker/spool.h"
#include "protocols/cgi_request.h"

enum {
	INPUT_FIRST = 16 * 1024,
	FREE_REQUESTS = 32, /* that are kept for reuse */
};

static struct al_request *free_requests;
static unsigned n_free;

/* Until a route says otherwise. */
static void
stay_here(struct al_request *req)
{
	req->app = &self.app;
	req->way = NULL;
	req->away = NULL;
	req->mount = 0;
	req->received = NULL;
	req->body_limit = self.body_limit;
}

static struct al_request *
make(void)
{
	struct al_request *req = calloc(1, sizeof(*req));

	if (req == NULL)
		return NULL;
	buffer_init(&req->input, 0);
	body_init(&req->body);
	/* One more for the id. */
	req->head.fields = calloc(self.limits.fields + 1, sizeof(*req->head.fields));
	if (req->head.fields == NULL ||
		buffer_reserve(&req->input, INPUT_FIRST) == NULL) {
		buffer_release(&req->input);
		free(req->head.fields);
		free(req);
		return NULL;
	}
	http1_decoder_init(&req->decoder, &self.limits);
	stay_here(req);
	return req;
}

struct al_request *
request_new(struct conn *conn)
{
	struct al_request *req = free_requests;

	if (req != NULL) {
		free_requests = req->next_free;
		n_free--;
	} else if ((req = make()) == NULL) {
		return NULL;
	}
	req->conn = conn;
	return req;
}

static void
destroy(struct al_request *req)
{
	arena_release(&req->arena);
	buffer_release(&req->input);
	buffer_release(&req->body.memory);
	buffer_release(&req->gathered);
	http1_response_release(&req->response);
	free(req->head.fields);
	free(req);
}

void
request_free(struct al_request *req)
{
	request_reset(req);
	buffer_reset(&req->input);
	http1_decoder_init(&req->decoder, &self.limits);
	if (n_free >= FREE_REQUESTS || req->input.cap > INPUT_FIRST) {
		destroy(req);
		return;
	}
	req->next_free = free_requests;
	free_requests = req;
	n_free++;
}

void
request_reset(struct al_request *req)
{
	arena_reset(&req->arena);
	body_release(&req->body);
	spool_give_back(req->spooled);
	req->spooled = 0;
	buffer_consume(&req->input, req->head_len);
	req->head_len = req->params_len = 0;
	req->told = NULL;
	buffer_reset(&req->gathered);
	req->id_len = 0;
	req->began_us = req->ready_us = 0;
	req->vars = NULL;
	req->has_body = req->is_head = req->is_https = req->has_next = false;
	stay_here(req);
	req->script_name = NULL;
	req->client.any.sa_family = AF_UNSPEC;
	req->body_length = 0;
	req->called_us = req->answered_us = 0;
	req->started = req->begun = req->complete = false;
	req->names_id = false;
	req->too_long = req->waiting = false;
	req->in_handle = req->finished = req->told_answered = false;
	req->pending = NULL;
	detached_release(req);
	req->given_back = req->is_told = false;
	req->proc = NULL;
}

bool
request_has_input(const struct al_request *req)
{
	return req->input.len > req->head_len;
}

void
request_line(const struct al_request *req, char *text, size_t room)
{
	struct slice parts[] = { req->head.method, SLICE(" "), req->head.target };
	size_t len = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t n =
			parts[i].len < room - 1 - len ? parts[i].len : room - 1 - len;
		memcpy(text + len, parts[i].ptr, n);
		len += n;
	}
	text[len] = '\0';
}

void
request_show(const struct al_request *req)
{
	struct slot *slot = self.slot;

	request_line(req, slot->request, sizeof(slot->request));
	memcpy(slot->request_id, req->id, (size_t)req->id_len + 1);
}

/* ---- The environ ---- */

static void
describe(
	const union proxy_address *a, char host[INET6_ADDRSTRLEN], char port[PORT_TEXT])
{
	bool v6 = a->any.sa_family == AF_INET6;
	const void *bytes = v6 ? (const void *)&a->v6.sin6_addr : &a->v4.sin_addr;

	inet_ntop(a->any.sa_family, bytes, host, INET6_ADDRSTRLEN);
	snprintf(port, PORT_TEXT, "%hu", ntohs(v6 ? a->v6.sin6_port : a->v4.sin_port));
}

/* The client's address and port: texts that live as long as the request. */
static void
describe_client(struct al_request *req, const char **addr, const char **port)
{
	struct conn *c = req->conn;
	bool forwarded = req->client.any.sa_family != AF_UNSPEC;

	if (req->client.any.sa_family == AF_UNIX)
		req->client_addr[0] = req->client_port[0] = '\0';
	else if (forwarded)
		describe(&req->client, req->client_addr, req->client_port);
	else if (c->peer_port[0] == '\0' && c->peer.any.sa_family != AF_UNIX)
		describe(&c->peer, c->peer_addr, c->peer_port);
	*addr = forwarded ? req->client_addr : c->peer_addr;
	*port = forwarded ? req->client_port : c->peer_port;
}

/* What the PROXY protocol told beside the client's address. */
static int
describe_proxy(struct cgi_source *source, struct al_request *req)
{
	const union proxy_address *server = &req->conn->proxied;
	char *host, *port;

	if (server->any.sa_family == AF_UNSPEC)
		return 0;
	host = arena_bytes(&req->arena, INET6_ADDRSTRLEN);
	port = arena_bytes(&req->arena, PORT_TEXT);
	if (host == NULL || port == NULL)
		return -1;
	describe(server, host, port);
	source->proxy_protocol = server->any.sa_family == AF_INET6 ? "TCP6" : "TCP4";
	source->proxy_addr = host;
	source->proxy_port = port;
	return 0;
}

/* A unix socket has no host and port: they are what the client calls us. */
static int
name_from_authority(struct cgi_source *source, struct al_request *req)
{
	struct slice host = req->head.authority;
	struct slice port = req->is_https ? SLICE("443") : SLICE("80");
	const char *colon = host.len != 0 ? memrchr(host.ptr, ':', host.len) : NULL;

	if (colon != NULL &&
		memchr(colon, ']', host.len - (size_t)(colon - host.ptr)) == NULL) {
		port = slice_of(colon + 1, host.len - (size_t)(colon + 1 - host.ptr));
		host.len = (size_t)(colon - host.ptr);
	}
	if (host.len == 0)
		host = SLICE("localhost");
	source->server_name = arena_strz(&req->arena, host);
	source->server_port = arena_strz(&req->arena, port);
	return source->server_name != NULL && source->server_port != NULL ? 0 : -1;
}

/* A web server may say where its client connected to. */
static void
name_as_told(struct cgi_source *source, const struct cgi_request *told)
{
	source->told = told;
	if (told->vars[CGI_SERVER_NAME].len > 0)
		source->server_name = told->vars[CGI_SERVER_NAME].ptr;
	if (told->vars[CGI_SERVER_PORT].len > 0)
		source->server_port = told->vars[CGI_SERVER_PORT].ptr;
	source->script_name = told->vars[CGI_SCRIPT_NAME].ptr;
}

const char *
request_peer(struct al_request *req)
{
	const char *addr, *port;

	describe_client(req, &addr, &port);
	return addr;
}

static int
make_environ(struct al_request *req)
{
	const struct address *address = &req->conn->listener->address;
	struct cgi_source source = {
		.head = &req->head,
		.body_length = req->body.length,
		.has_body = req->has_body,
		.scheme = al_scheme(req),
		.server_name = address->host,
		.server_port = address->port,
		.software = al_version(),
		.script_name = req->script_name,
		.request_id = request_id(req),
		.underscores = true, /* trust_request has judged them */
	};

	describe_client(req, &source.remote_addr, &source.remote_port);
	if (describe_proxy(&source, req) != 0)
		return -1;
	if (address->kind == ADDRESS_UNIX && name_from_authority(&source, req) != 0)
		return -1;
	if (req->told != NULL)
		name_as_told(&source, req->told);
	size_t room = CGI_OWN_VARS + req->head.n_fields;
	req->vars = arena_alloc(&req->arena, room * sizeof(*req->vars));
	if (req->vars == NULL)
		return -1;
	/* The codec's variable and the interface's are laid out alike (a test checks).
	 */
	req->n_vars = cgi_environ(&source, (struct cgi_var *)req->vars, &req->arena);
	return 0;
}

const struct al_var *
al_env_all(struct al_request *req, size_t *n)
{
	if (req->vars == NULL && make_environ(req) != 0)
		req->n_vars = 0;
	*n = req->n_vars;
	return req->vars;
}

const char *
al_env(struct al_request *req, const char *name)
{
	size_t n, len = strlen(name);
	const struct al_var *vars = al_env_all(req, &n);

	for (size_t i = 0; i < n; i++) {
		if (vars[i].name_len == len && memcmp(vars[i].name, name, len) == 0)
			return vars[i].value;
	}
	return NULL;
}

const char *
al_scheme(struct al_request *req)
{
	return req->is_https ? "https" : "http";
}

bool
al_multiprocess(void)
{
	return self.settings->workers > 1 || self.settings->workers_max > 1;
}

bool
al_multithread(void)
{
	return self.settings->threads > 1;
}

bool
al_has_next(struct al_request *req)
{
	return req->has_next;
}

/* ---- The body ---- */

uint64_t
al_body_length(struct al_request *req)
{
	return req->body.length;
}

ssize_t
al_read(struct al_request *req, void *buf, size_t n)
{
	return body_read(&req->body, buf, n);
}

ssize_t
al_readline(struct al_request *req, void *buf, size_t n)
{
	return body_readline(&req->body, buf, n);
}

const void *
al_body_memory(struct al_request *req)
{
	bool in_memory = req->body.fd < 0 && req->body.length > 0;

	return in_memory ? req->body.memory.ptr : NULL;
}

int
al_body_fd(struct al_request *req)
{
	return req->body.fd;
}

/* ---- The log ---- */

void
al_log(struct al_request *req, enum al_level level, const char *format, ...)
{
	char line[SLOT_REQUEST], text[8192];
	struct log_about about = { .pool = slice_str(self.settings->name) };
	va_list args;

	if (!log_enabled((enum log_level)level))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (req != NULL) {
		request_line(req, line, sizeof(line));
		about.id = request_id(req);
		about.request = slice_str(line);
	}
	log_about((enum log_level)level, &about, "%s", text);
}
