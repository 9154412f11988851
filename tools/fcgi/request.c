/*
 * The request's side of alicorn.h. Web servers differ in what they send: what every
 * application relies on is added, and what only some take out is taken out.
 */
#include "tools/fcgi/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BODY_MEMORY = 64 * 1024, /* of a body; larger ones go to a file */
	LINE_BYTES = 2048, /* of the log */
};

int
request_init(struct al_request *req)
{
	body_init(&req->body);
	return FCGX_InitRequest(&req->fcgi, 0, FCGI_FAIL_ACCEPT_ON_INTR);
}

void
request_reset(struct al_request *req)
{
	arena_reset(&req->memory);
	body_release(&req->body);
	req->vars = NULL;
	req->n_vars = 0;
	req->length = 0;
	req->started = req->begun = req->complete = false;
	req->too_long = req->broken = req->is_head = false;
}

/* ---- The environ ---- */

/* Always there, as in any Alicorn; empty when the web server did not send them. */
static const char *const promised[] = { "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING",
	"REQUEST_METHOD", "REQUEST_URI", "RAW_URI" };

enum { PROMISED = sizeof(promised) / sizeof(promised[0]) };

/* Proxy would be HTTP_PROXY, an option of many programs; the role is libfcgi's own; the
 * others repeat what is a variable already. */
static const char *const dropped[] = { "HTTP_PROXY", "FCGI_ROLE", "HTTP_CONTENT_TYPE",
	"HTTP_CONTENT_LENGTH" };

static bool
is_dropped(struct slice name, const char *value)
{
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (slice_eq(name, slice_str(dropped[i])))
			return true;
	/* Without a body they are empty. */
	return *value == '\0' &&
		(slice_eq(name, SLICE("CONTENT_LENGTH")) ||
			slice_eq(name, SLICE("CONTENT_TYPE")));
}

/* While the environ is made, the id tells in which order they came. */
static bool
add_var(struct al_request *req, struct slice name, const char *value)
{
	char *copy = arena_strz(&req->memory, name);

	if (copy == NULL)
		return false;
	req->vars[req->n_vars] = (struct al_var){
		.name = copy,
		.value = value,
		.name_len = (uint32_t)name.len,
		.value_len = (uint32_t)strlen(value),
		.id = (uint32_t)req->n_vars,
	};
	req->n_vars++;
	return true;
}

static int
compare_vars(const void *a, const void *b)
{
	const struct al_var *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

/* By name, each once: of one that nginx was told to send twice the last counts. */
static void
sort_vars(struct al_request *req)
{
	size_t kept = 0;

	qsort(req->vars, req->n_vars, sizeof(*req->vars), compare_vars);
	for (size_t i = 0; i < req->n_vars; i++) {
		if (kept > 0 &&
			strcmp(req->vars[kept - 1].name, req->vars[i].name) == 0)
			kept--;
		req->vars[kept] = req->vars[i];
		req->vars[kept++].id = 0;
	}
	req->n_vars = kept;
}

static struct al_var *
find_var(struct al_request *req, const char *name)
{
	size_t low = 0, high = req->n_vars;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, req->vars[middle].name);
		if (order == 0)
			return &req->vars[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static bool
add_vars(struct al_request *req)
{
	for (size_t i = 0; i < PROMISED; i++)
		if (!add_var(req, slice_str(promised[i]), ""))
			return false;
	for (char **line = req->fcgi.envp; *line != NULL; line++) {
		struct slice name = slice_of(*line, strcspn(*line, "="));
		const char *value = *line + name.len + ((*line)[name.len] == '=');
		if (!is_dropped(name, value) && !add_var(req, name, value))
			return false;
	}
	return true;
}

static bool
make_environ(struct al_request *req)
{
	size_t n = PROMISED;

	for (char **line = req->fcgi.envp; *line != NULL; line++)
		n++;
	req->vars = arena_alloc(&req->memory, n * sizeof(*req->vars));
	if (req->vars == NULL || !add_vars(req))
		return false;
	sort_vars(req);
	struct al_var *raw = find_var(req, "RAW_URI"),
		      *uri = find_var(req, "REQUEST_URI");
	if (raw->value_len == 0) {
		raw->value = uri->value;
		raw->value_len = uri->value_len;
	}
	return true;
}

const struct al_var *
al_env_all(struct al_request *req, size_t *n)
{
	*n = req->n_vars;
	return req->vars;
}

const char *
al_env(struct al_request *req, const char *name)
{
	const struct al_var *var = find_var(req, name);

	return var != NULL ? var->value : NULL;
}

const char *
al_scheme(struct al_request *req)
{
	const char *https = al_env(req, "HTTPS"),
		   *scheme = al_env(req, "REQUEST_SCHEME");

	if (https != NULL && *https != '\0')
		return strcasecmp(https, "off") != 0 ? "https" : "http";
	return scheme != NULL && strcmp(scheme, "https") == 0 ? "https" : "http";
}

/* ---- The body ---- */

static bool
receive_body(struct al_request *req)
{
	const char *folder = getenv("TMPDIR");
	char data[16 * 1024];
	int n;

	while ((n = FCGX_GetStr(data, sizeof(data), req->fcgi.in)) > 0)
		if (body_add(&req->body, slice_of(data, (size_t)n), BODY_MEMORY,
			    folder != NULL ? folder : "/tmp") != 0)
			return false;
	return true;
}

unsigned
request_receive(struct al_request *req)
{
	if (!make_environ(req))
		return 500;
	req->is_head = strcmp(al_env(req, "REQUEST_METHOD"), "HEAD") == 0;
	if (receive_body(req))
		return 0;
	int error = errno;
	al_log(req, AL_LOG_ERROR, "the request's body cannot be kept: %s",
		strerror(error));
	return error == ENOSPC ? 507 : 500;
}

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

/* To the web server, in whose log the line belongs; without a request to our own
 * stderr. Control bytes become a question mark, so that a line stays one. */
void
al_log(struct al_request *req, enum al_level level, const char *format, ...)
{
	static const char *const names[] = {
		[AL_CRITICAL] = "CRITICAL",
		[AL_LOG_ERROR] = "ERROR",
		[AL_WARNING] = "WARNING",
		[AL_INFO] = "INFO",
	};
	char text[LINE_BYTES];
	va_list args;

	if (level == AL_DEBUG)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	if (req != NULL)
		FCGX_FPrintF(req->fcgi.err, "[%s] %s\n", names[level], text);
	else
		fprintf(stderr, "alicorn-fcgi: [%s] %s\n", names[level], text);
}
