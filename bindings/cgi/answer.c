/*
 * What a program answers (RFC 3875 section 6). A broken answer is a 502; when a part of
 * the response has left already, the gateway cuts the connection so that the client can
 * see it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings/cgi/exchange.h"

enum {
	HEAD_MAX = 32 * 1024, /* bytes */
	FIELDS_MAX = 128, /* of a head */
	REDIRECTS_MAX = 10, /* local ones of one request */
};

/* Orders to the server to send a file, where it follows such orders. */
static const struct file_field {
	struct slice name;
	bool is_uri; /* else it is a path as it stands */
} file_fields[] = {
	{ SLICE_INIT("X-Sendfile"), false },
	{ SLICE_INIT("X-LIGHTTPD-send-file"), false },
	{ SLICE_INIT("X-Accel-Redirect"), true },
};

void
answer_init(struct exchange *x)
{
	buffer_init(&x->head, HEAD_MAX + ANSWER_INPUT_MAX);
	x->scanned = 0;
	x->started = x->dropping = false;
	x->local.uri = NULL;
}

void
answer_release(struct exchange *x)
{
	buffer_release(&x->head);
}

/* ---- The body ---- */

static void
write_body(struct exchange *x, struct slice data)
{
	/* The client has gone, which is nothing to complain about. */
	if (data.len != 0 && !x->dropping && al_write(x->req, data.ptr, data.len) != 0)
		exchange_set(x, EXCHANGE_FAILED);
}

/* ---- The head ---- */

static const struct file_field *
find_file_field(struct slice name)
{
	for (size_t i = 0; i < sizeof(file_fields) / sizeof(file_fields[0]); i++)
		if (slice_caseeq(name, file_fields[i].name))
			return &file_fields[i];
	return NULL;
}

/* What a field names, as a path. */
static const char *
file_path(struct exchange *x, const struct http1_field *field)
{
	struct slice value = field->value;

	if (!find_file_field(field->name)->is_uri)
		return arena_strz(&x->memory, value);
	const char *mark = value.len != 0 ? memchr(value.ptr, '?', value.len) : NULL;
	if (mark != NULL)
		value.len = (size_t)(mark - value.ptr);
	char *path = arena_bytes(&x->memory, value.len + 1);
	if (path != NULL)
		path[cgi_decode_path(path, value)] = '\0';
	return path;
}

/* The field that orders a file to be sent; NULL: the program sends its own body. */
static const struct http1_field *
find_order(const struct exchange *x, const struct cgi_head *head)
{
	for (size_t i = 0; i < head->n_fields && x->app->n_sendfile_roots != 0; i++)
		if (find_file_field(head->fields[i].name) != NULL)
			return &head->fields[i];
	return NULL;
}

/* A file has a length of its own, and its path is not for the client. */
static size_t
convert_fields(
	struct al_header *headers, const struct cgi_head *head, bool replaced_by_file)
{
	size_t n = 0;

	for (size_t i = 0; i < head->n_fields; i++) {
		const struct http1_field *f = &head->fields[i];
		if (replaced_by_file &&
			(find_file_field(f->name) != NULL ||
				slice_caseeq(f->name, SLICE("Content-Length"))))
			continue;
		headers[n++] = (struct al_header){
			.name = f->name.ptr,
			.name_len = f->name.len,
			/* To al_start a length of 0 means that it has to count. */
			.value = f->value.len != 0 ? f->value.ptr : "",
			.value_len = f->value.len,
		};
	}
	return n;
}

static void
start(struct exchange *x, const char *status, const struct al_header *headers, size_t n)
{
	if (al_start(x->req, status, headers, n) != 0)
		exchange_fail(x, 502, "the response is not valid");
	else
		exchange_set(x, EXCHANGE_BODY);
}

static void
start_file(struct exchange *x, const struct http1_field *order, const char *status,
	struct al_header *headers, size_t n)
{
	const char *path = file_path(x, order);
	int fd = path != NULL ? sendfile_open(x->app, path) : -1;
	char length[24];
	struct stat st;

	if (fd == -1 || fstat(fd, &st) != 0) {
		exchange_fail(x, 502, "the file %s cannot be sent: %s",
			path != NULL ? path : "",
			errno == EXDEV ? "it is not in sendfile_roots"
				       : strerror(errno));
	} else {
		snprintf(length, sizeof(length), "%lld", (long long)st.st_size);
		headers[n++] = (struct al_header){ "Content-Length", length, 0, 0 };
		start(x, status, headers, n);
		x->dropping = true;
		if (x->state == EXCHANGE_BODY &&
			al_sendfile(x->req, fd, 0, st.st_size) != 0)
			exchange_set(x, EXCHANGE_FAILED);
	}
	if (fd != -1)
		close(fd);
}

static void
start_response(struct exchange *x, const struct cgi_head *head)
{
	struct al_header headers[FIELDS_MAX + 1];
	struct slice said = head_status(head);
	const struct http1_field *order = find_order(x, head);
	size_t n = convert_fields(headers, head, order != NULL);
	const char *status = arena_strz(&x->memory, said);

	if (status == NULL)
		exchange_fail(x, 500, "out of memory");
	else if (order != NULL)
		start_file(x, order, status, headers, n);
	else
		start(x, status, headers, n);
}

static void
take_whole_head(struct exchange *x, const struct cgi_head *head)
{
	const char *mount = al_env(x->req, "SCRIPT_NAME");

	x->started = true;
	if (x->nph ||
		!head_is_local(
			&x->local, head, mount != NULL ? mount : "", &x->memory)) {
		start_response(x, head);
		return;
	}
	x->dropping = true;
	if (++x->redirects > REDIRECTS_MAX)
		exchange_fail(
			x, 502, "more than %d local redirects", (int)REDIRECTS_MAX);
}

/* The head mostly comes in one piece and is then read where it stands. */
static void
take_head(struct exchange *x, struct slice data)
{
	struct http1_field fields[FIELDS_MAX];
	struct cgi_head head = { .fields = fields, .max_fields = FIELDS_MAX };
	bool gathered = x->head.len != 0;

	if (gathered)
		buffer_add_slice(&x->head, data);
	struct slice have = gathered ? buffer_slice(&x->head) : data;
	int len = x->nph ? nph_decode_head(&head, have, &x->scanned)
			 : cgi_decode_head(&head, have, &x->scanned);
	if (len == 0 && !gathered)
		buffer_add_slice(&x->head, data);
	if (len < 0)
		exchange_fail(x, 502, "the response's head is refused: %s", head.error);
	else if (len > HEAD_MAX || (len == 0 && have.len > HEAD_MAX))
		exchange_fail(x, 502, "the response's head is too long");
	else if (x->head.failed)
		exchange_fail(x, 502, "out of memory");
	else if (len > 0)
		take_whole_head(x, &head);
	if (x->state != EXCHANGE_BODY)
		return;
	slice_advance(&have, (size_t)len);
	write_body(x, have);
	buffer_release(&x->head);
}

void
answer_take(struct exchange *x, struct slice in)
{
	if (x->state == EXCHANGE_HEAD && !x->started)
		take_head(x, in);
	else
		write_body(x, in);
}
