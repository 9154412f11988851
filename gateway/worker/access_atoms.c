#include "gateway/worker/access_atoms.h"

#include "gateway/logger/wall.h"
#include "gateway/worker/meter.h"
#include "gateway/worker/request.h"
#include "gateway/worker/request_id.h"
#include "gateway/worker/self.h"
#include "protocols/http1_guard.h"
#include "protocols/json.h"

enum { STATUS_NONE = 499, USER_BYTES = 64 };

/* ---- Values ---- */

void
access_put(struct access_line *line, struct slice text)
{
	size_t room = (size_t)(line->end - line->at);
	size_t n = text.len < room ? text.len : room;

	if (n > 0)
		memcpy(line->at, text.ptr, n);
	line->at += n;
}

/* What a client said, or an application; a slice of NULL is missing. */
static void
put_value(struct access_line *line, struct slice value)
{
	if (line->json)
		line->at = json_text(line->at, line->texts_end, value);
	else if (value.ptr == NULL)
		access_put(line, SLICE("-"));
	else
		line->at = access_escape(line->at, line->end, value);
}

static void
put_number(struct access_line *line, uint64_t number)
{
	char text[HTTP1_DIGITS];

	access_put(line, http1_digits(text + sizeof(text), number, 10));
}

/* With zeros in front, so that it has as many digits. */
static void
put_digits(struct access_line *line, uint64_t number, size_t digits)
{
	static const struct slice zeros = SLICE_INIT("000000");
	char text[HTTP1_DIGITS];
	struct slice s = http1_digits(text + sizeof(text), number, 10);

	if (s.len < digits)
		access_put(line, slice_of(zeros.ptr, digits - s.len));
	access_put(line, s);
}

static void
put_nothing(struct access_line *line, struct slice name)
{
	(void)name;
	put_value(line, (struct slice){ 0 });
}

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

static void
put_peer(struct access_line *line, struct slice name)
{
	struct slice peer = slice_str(request_peer(line->req));

	(void)name;
	put_value(line, peer.len > 0 ? peer : (struct slice){ 0 });
}

static void
put_user(struct access_line *line, struct slice name)
{
	char user[USER_BYTES];
	struct slice field = request_field(line->req, SLICE("Authorization"));
	size_t len = access_basic_user(field, user, sizeof(user));

	(void)name;
	put_value(line, slice_of(len > 0 ? user : NULL, len));
}

static void
put_request_line(struct access_line *line, struct slice name)
{
	const struct al_request *req = line->req;

	(void)name;
	if (!has_head(req)) {
		put_value(line, first_line(req));
		return;
	}
	put_value(line, req->head.method);
	access_put(line, SLICE(" "));
	put_value(line, req->head.target);
	access_put(line, SLICE(" "));
	access_put(line, protocol(req));
}

static void
put_method(struct access_line *line, struct slice name)
{
	(void)name;
	put_value(line,
		has_head(line->req) ? line->req->head.method : (struct slice){ 0 });
}

static void
put_query(struct access_line *line, struct slice name)
{
	struct slice query = line->req->head.query;

	(void)name;
	if (!has_head(line->req))
		query.ptr = NULL;
	else if (query.len == 0)
		query = SLICE("");
	put_value(line, query);
}

static void
put_protocol(struct access_line *line, struct slice name)
{
	(void)name;
	put_value(line, protocol(line->req));
}

static void
put_request_field(struct access_line *line, struct slice name)
{
	put_value(line, request_field(line->req, name));
}

static void
put_referer(struct access_line *line, struct slice name)
{
	(void)name;
	put_value(line, request_field(line->req, SLICE("Referer")));
}

static void
put_agent(struct access_line *line, struct slice name)
{
	(void)name;
	put_value(line, request_field(line->req, SLICE("User-Agent")));
}

/* The environ is made for this where nobody has asked for it, unless that is too late.
 */
static void
put_variable(struct access_line *line, struct slice name)
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
	put_value(line, value);
}

static void
put_path(struct access_line *line, struct slice name)
{
	(void)name;
	put_variable(line, SLICE("PATH_INFO"));
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

static void
put_raw_path(struct access_line *line, struct slice name)
{
	(void)name;
	put_value(line, access_path(line->req));
}

static void
put_id(struct access_line *line, struct slice name)
{
	struct slice id = request_id(line->req);

	(void)name;
	put_value(line, slice_of(id.len > 0 ? id.ptr : NULL, id.len));
}

static void
put_host(struct access_line *line, struct slice name)
{
	(void)name;
	put_value(line,
		has_head(line->req) ? line->req->head.authority : (struct slice){ 0 });
}

static void
put_received(struct access_line *line, struct slice name)
{
	const struct al_request *req = line->req;

	(void)name;
	put_number(line,
		has_head(req) ? req->head_len + req->body.length : req->input.len);
}

/* ---- The response ---- */

unsigned
access_status(const struct al_request *req)
{
	return req->begun ? req->response.status : STATUS_NONE;
}

static void
put_status(struct access_line *line, struct slice name)
{
	(void)name;
	put_number(line, access_status(line->req));
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

static void
put_bytes(struct access_line *line, struct slice name)
{
	(void)name;
	put_number(line, body_bytes(line->req));
}

static void
put_bytes_or_dash(struct access_line *line, struct slice name)
{
	if (line->req->begun)
		put_bytes(line, name);
	else
		put_nothing(line, name);
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
static void
put_response_field(struct access_line *line, struct slice name)
{
	const struct al_request *req = line->req;

	if (req->begun && req->reply.framing == HTTP1_LENGTH &&
		slice_caseeq(name, SLICE("Content-Length")))
		put_number(line, req->reply.length);
	else if (req->begun)
		put_value(line, find_line(buffer_slice(&req->response.fields), name));
	else
		put_nothing(line, name);
}

/* ---- Time, and the process ---- */

/* "[21/Nov/2026:09:30:00 +0000]" */
static void
write_time(struct access_line *stamp, const struct wall *w)
{
	uint64_t offset = (uint64_t)(w->offset < 0 ? -w->offset : w->offset) / 60;

	access_put(stamp, SLICE("["));
	put_digits(stamp, (uint64_t)w->day, 2);
	access_put(stamp, SLICE("/"));
	access_put(stamp, slice_str(w->month));
	access_put(stamp, SLICE("/"));
	put_digits(stamp, (uint64_t)w->year, 4);
	access_put(stamp, SLICE(":"));
	put_digits(stamp, (uint64_t)w->hour, 2);
	access_put(stamp, SLICE(":"));
	put_digits(stamp, (uint64_t)w->minute, 2);
	access_put(stamp, SLICE(":"));
	put_digits(stamp, (uint64_t)w->second, 2);
	access_put(stamp, w->offset < 0 ? SLICE(" -") : SLICE(" +"));
	put_digits(stamp, offset / 60 * 100 + offset % 60, 4);
	access_put(stamp, SLICE("]"));
}

/* Made once in a second. */
static void
put_time(struct access_line *line, struct slice name)
{
	static char text[64];
	static size_t len;
	static time_t made;
	const struct wall *w = wall_now();

	(void)name;
	if (made != w->at) {
		struct access_line stamp = { .at = text, .end = text + sizeof(text) };
		write_time(&stamp, w);
		len = (size_t)(stamp.at - text);
		made = w->at;
	}
	access_put(line, slice_of(text, len));
}

static void
put_seconds(struct access_line *line, struct slice name)
{
	(void)name;
	put_number(line, line->us / 1000000);
}

static void
put_milliseconds(struct access_line *line, struct slice name)
{
	(void)name;
	put_number(line, line->us / 1000);
}

static void
put_microseconds(struct access_line *line, struct slice name)
{
	(void)name;
	put_number(line, line->us);
}

static void
put_decimal_seconds(struct access_line *line, struct slice name)
{
	(void)name;
	put_number(line, line->us / 1000000);
	access_put(line, SLICE("."));
	put_digits(line, line->us % 1000000, 6);
}

/* From when the request was complete to the call; 0: it was not called. */
static void
put_queue_time(struct access_line *line, struct slice name)
{
	const struct al_request *req = line->req;
	bool waited = req->ready_us != 0 && req->called_us > req->ready_us;

	(void)name;
	put_number(line, waited ? req->called_us - req->ready_us : 0);
}

static void
put_application_time(struct access_line *line, struct slice name)
{
	(void)name;
	put_number(line, meter_application_us(line->req));
}

/* A worker's own row says it without a system call. */
static void
put_plain_pid(struct access_line *line, struct slice name)
{
	(void)name;
	put_number(line,
		(uint64_t)atomic_load_explicit(&self.slot->pid, memory_order_relaxed));
}

static void
put_pid(struct access_line *line, struct slice name)
{
	access_put(line, SLICE("<"));
	put_plain_pid(line, name);
	access_put(line, SLICE(">"));
}

static void
put_pool(struct access_line *line, struct slice name)
{
	(void)name;
	put_value(line, slice_str(self.settings->name));
}

static void
put_stamp(struct access_line *line, struct slice name)
{
	char when[WALL_STAMP];

	(void)name;
	wall_stamp(when);
	put_value(line, slice_of(when, sizeof(when)));
}

static void
put_level(struct access_line *line, struct slice name)
{
	(void)name;
	access_put(line, SLICE("\"info\""));
}

/* ---- All of them ---- */

static const struct access_atom atoms[] = {
	{ .letter = 'h', .put = put_peer },
	{ .letter = 'l', .put = put_nothing },
	{ .letter = 'u', .put = put_user },
	{ .letter = 't', .put = put_time },
	{ .letter = 'r', .put = put_request_line },
	{ .letter = 's', .put = put_status },
	{ .letter = 'm', .put = put_method },
	{ .letter = 'U', .put = put_path },
	{ .letter = 'q', .put = put_query },
	{ .letter = 'H', .put = put_protocol },
	{ .letter = 'b', .put = put_bytes_or_dash },
	{ .letter = 'B', .put = put_bytes },
	{ .letter = 'f', .put = put_referer },
	{ .letter = 'a', .put = put_agent },
	{ .letter = 'T', .put = put_seconds, .is_time = true },
	{ .letter = 'M', .put = put_milliseconds, .is_time = true },
	{ .letter = 'D', .put = put_microseconds, .is_time = true },
	{ .letter = 'L', .put = put_decimal_seconds, .is_time = true },
	{ .letter = 'p', .put = put_pid },
	{ .letter = ACCESS_ID, .put = put_id },
	{ .letter = 'Q', .put = put_queue_time, .is_time = true },
	{ .letter = 'A', .put = put_application_time },
	{ .letter = 'I', .put = put_received },
	{ .letter = 'R', .put = put_pool },
	{ .letter = 'w', .put = put_plain_pid },
	{ .letter = 'i', .put = put_request_field, .is_named = true },
	{ .letter = 'o', .put = put_response_field, .is_named = true },
	{ .letter = 'e', .put = put_variable, .is_named = true },
};

const struct access_member access_members[] = {
	{ "time", put_stamp },
	{ "level", put_level },
	{ "pid", put_plain_pid },
	{ "pool", put_pool },
	{ "request_id", put_id },
	{ "client", put_peer },
	{ "host", put_host },
	{ "method", put_method },
	{ "path", put_raw_path },
	{ "query", put_query },
	{ "protocol", put_protocol },
	{ "status", put_status },
	{ "bytes_out", put_bytes },
	{ "bytes_in", put_received },
	{ "duration_us", put_microseconds },
	{ "queue_us", put_queue_time },
	{ "app_us", put_application_time },
	{ "referer", put_referer },
	{ "user_agent", put_agent },
};

const size_t access_n_members = sizeof(access_members) / sizeof(access_members[0]);

static const struct access_atom unknown = { .put = put_nothing };

const struct access_atom *
access_atom_find(const struct access_part *part)
{
	for (size_t i = 0; i < sizeof(atoms) / sizeof(atoms[0]); i++)
		if (atoms[i].letter == part->atom &&
			atoms[i].is_named == (part->text.len > 0))
			return &atoms[i];
	return &unknown;
}
