/*
 * What access logs say of a request and its response.
 */
#include "gateway/worker/access_values.h"

#include "gateway/worker/request.h"
#include "gateway/worker/request_id.h"

enum { STATUS_NONE = 499, USER_BYTES = 64 };

/* ---- The request ---- */

/* Before that nothing is known of it but the bytes that were received. */
static bool
has_head(const struct al_request *req)
{
	return req->head_len > 0;
}

static struct slice
request_field(const struct al_request *req, struct slice name)
{
	const struct http1_head *head = &req->head;

	for (size_t i = 0; has_head(req) && i < head->n_fields; i++)
		if (slice_caseeq(head->fields[i].name, name))
			return head->fields[i].value;
	return (struct slice){ 0 };
}

static struct slice
protocol(const struct al_request *req)
{
	if (!has_head(req))
		return (struct slice){ 0 };
	return req->head.minor == 0 ? SLICE("HTTP/1.0") : SLICE("HTTP/1.1");
}

/* As far as it was received; of FastCGI it is no line. */
static struct slice
first_line(const struct al_request *req)
{
	struct slice line = buffer_slice(&req->input);

	if (req->conn->fcgi != NULL)
		return (struct slice){ 0 };
	while (line.len > 0 && (*line.ptr == '\r' || *line.ptr == '\n'))
		slice_advance(&line, 1);
	const char *end = memchr(line.ptr, '\n', line.len);
	if (end != NULL)
		line.len = (size_t)(end - line.ptr);
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

void
access_put_peer(struct access_line *line, struct slice name)
{
	struct slice peer = slice_str(request_peer(line->req));

	(void)name;
	access_put_value(line, peer.len > 0 ? peer : (struct slice){ 0 });
}

void
access_put_user(struct access_line *line, struct slice name)
{
	char user[USER_BYTES];
	struct slice field = request_field(line->req, SLICE("Authorization"));
	size_t len = access_basic_user(field, user, sizeof(user));

	(void)name;
	access_put_value(line, slice_of(len > 0 ? user : NULL, len));
}

void
access_put_request_line(struct access_line *line, struct slice name)
{
	const struct al_request *req = line->req;

	(void)name;
	if (!has_head(req)) {
		access_put_value(line, first_line(req));
		return;
	}
	access_put_value(line, req->head.method);
	access_put(line, SLICE(" "));
	access_put_value(line, req->head.target);
	access_put(line, SLICE(" "));
	access_put(line, protocol(req));
}

void
access_put_method(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_value(line,
		has_head(line->req) ? line->req->head.method : (struct slice){ 0 });
}

void
access_put_query(struct access_line *line, struct slice name)
{
	struct slice query = line->req->head.query;

	(void)name;
	if (!has_head(line->req))
		query.ptr = NULL;
	else if (query.len == 0)
		query = SLICE("");
	access_put_value(line, query);
}

void
access_put_protocol(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_value(line, protocol(line->req));
}

void
access_put_request_field(struct access_line *line, struct slice name)
{
	access_put_value(line, request_field(line->req, name));
}

void
access_put_referer(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_value(line, request_field(line->req, SLICE("Referer")));
}

void
access_put_agent(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_value(line, request_field(line->req, SLICE("User-Agent")));
}

/* The environ is made for this where nobody has asked for it, unless that is too late.
 */
void
access_put_variable(struct access_line *line, struct slice name)
{
	struct al_request *req = line->req;
	struct slice value = { 0 };
	size_t n = 0;

	if (req->vars != NULL || (has_head(req) && !line->in_handler))
		al_env_all(req, &n);
	for (size_t i = 0; i < n; i++) {
		const struct al_var *var = &req->vars[i];
		if (slice_caseeq(slice_of(var->name, var->name_len), name))
			value = slice_of(var->value, var->value_len);
	}
	access_put_value(line, value);
}

void
access_put_path(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_variable(line, SLICE("PATH_INFO"));
}

/* That of an absolute-form target begins behind the host. */
struct slice
access_path(const struct al_request *req)
{
	struct slice target = req->head.target;

	if (!has_head(req))
		return (struct slice){ 0 };
	if (target.len == 0 || *target.ptr != '/')
		return req->head.path;
	const char *query = memchr(target.ptr, '?', target.len);
	if (query != NULL)
		target.len = (size_t)(query - target.ptr);
	return target;
}

void
access_put_raw_path(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_value(line, access_path(line->req));
}

void
access_put_id(struct access_line *line, struct slice name)
{
	struct slice id = request_id(line->req);

	(void)name;
	access_put_value(line, slice_of(id.len > 0 ? id.ptr : NULL, id.len));
}

void
access_put_host(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_value(line,
		has_head(line->req) ? line->req->head.authority : (struct slice){ 0 });
}

void
access_put_received(struct access_line *line, struct slice name)
{
	const struct al_request *req = line->req;

	(void)name;
	access_put_number(line,
		has_head(req) ? req->head_len + req->body.length : req->input.len);
}

/* ---- The response ---- */

unsigned
access_status(const struct al_request *req)
{
	return req->begun ? req->response.status : STATUS_NONE;
}

void
access_put_status(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_number(line, access_status(line->req));
}

/* What the application has written, less what still waits. Where sending has failed,
 * the last piece was dropped: then it is not more than what the socket took. */
static uint64_t
body_bytes(const struct al_request *req)
{
	const struct conn *c = req->conn;
	uint64_t bytes = req->body_length, waits = c->output.bytes + req->gathered.len;
	uint64_t taken = c->output.sent - req->sent_before;

	if (!req->begun || http1_no_body(req->response.status, req->is_head))
		return 0;
	bytes -= bytes < waits ? bytes : waits;
	return c->broken && bytes > taken ? taken : bytes;
}

void
access_put_bytes(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_number(line, body_bytes(line->req));
}

void
access_put_bytes_or_dash(struct access_line *line, struct slice name)
{
	if (line->req->begun)
		access_put_bytes(line, name);
	else
		access_put_nothing(line, name);
}

/* The value of a field in lines as they were sent; the pointer is NULL without it. */
static struct slice
find_line(struct slice lines, struct slice name)
{
	while (lines.len > name.len) {
		const char *end = memchr(lines.ptr, '\r', lines.len);
		size_t len = end != NULL ? (size_t)(end - lines.ptr) : lines.len;
		if (len > name.len && lines.ptr[name.len] == ':' &&
			slice_caseeq(slice_of(lines.ptr, name.len), name))
			return slice_trim(
				slice_of(lines.ptr + name.len + 1, len - name.len - 1));
		slice_advance(&lines, len + 2 < lines.len ? len + 2 : lines.len);
	}
	return (struct slice){ 0 };
}

/* Content-Length is not among the fields of the application: it is the framing's. */
void
access_put_response_field(struct access_line *line, struct slice name)
{
	const struct al_request *req = line->req;

	if (req->begun && req->reply.framing == HTTP1_LENGTH &&
		slice_caseeq(name, SLICE("Content-Length")))
		access_put_number(line, req->reply.length);
	else if (req->begun)
		access_put_value(
			line, find_line(buffer_slice(&req->response.fields), name));
	else
		access_put_nothing(line, name);
}
