#include "gateway/worker/access_atoms.h"

#include "gateway/logger/wall.h"
#include "gateway/worker/access_values.h"
#include "gateway/worker/meter.h"
#include "gateway/worker/request.h"
#include "gateway/worker/self.h"
#include "protocols/http1_guard.h"
#include "protocols/json.h"

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
void
access_put_value(struct access_line *line, struct slice value)
{
	if (line->json)
		line->at = json_text(line->at, line->texts_end, value);
	else if (value.ptr == NULL)
		access_put(line, SLICE("-"));
	else
		line->at = access_escape(line->at, line->end, value);
}

void
access_put_number(struct access_line *line, uint64_t number)
{
	char text[HTTP1_DIGITS];

	access_put(line, http1_digits(text + sizeof(text), number, 10));
}

/* With zeros in front, so that it has as many digits. */
void
access_put_digits(struct access_line *line, uint64_t number, size_t digits)
{
	static const struct slice zeros = SLICE_INIT("000000");
	char text[HTTP1_DIGITS];
	struct slice s = http1_digits(text + sizeof(text), number, 10);

	if (s.len < digits)
		access_put(line, slice_of(zeros.ptr, digits - s.len));
	access_put(line, s);
}

void
access_put_nothing(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_value(line, (struct slice){ 0 });
}

/* ---- Time, and the process ---- */

/* "[21/Nov/2026:09:30:00 +0000]" */
static void
write_time(struct access_line *stamp, const struct wall *w)
{
	uint64_t offset = (uint64_t)(w->offset < 0 ? -w->offset : w->offset) / 60;

	access_put(stamp, SLICE("["));
	access_put_digits(stamp, (uint64_t)w->day, 2);
	access_put(stamp, SLICE("/"));
	access_put(stamp, slice_str(w->month));
	access_put(stamp, SLICE("/"));
	access_put_digits(stamp, (uint64_t)w->year, 4);
	access_put(stamp, SLICE(":"));
	access_put_digits(stamp, (uint64_t)w->hour, 2);
	access_put(stamp, SLICE(":"));
	access_put_digits(stamp, (uint64_t)w->minute, 2);
	access_put(stamp, SLICE(":"));
	access_put_digits(stamp, (uint64_t)w->second, 2);
	access_put(stamp, w->offset < 0 ? SLICE(" -") : SLICE(" +"));
	access_put_digits(stamp, offset / 60 * 100 + offset % 60, 4);
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
	access_put_number(line, line->us / 1000000);
}

static void
put_milliseconds(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_number(line, line->us / 1000);
}

static void
put_microseconds(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_number(line, line->us);
}

static void
put_decimal_seconds(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_number(line, line->us / 1000000);
	access_put(line, SLICE("."));
	access_put_digits(line, line->us % 1000000, 6);
}

/* From when the request was complete to the call; 0: it was not called. */
static void
put_queue_time(struct access_line *line, struct slice name)
{
	const struct al_request *req = line->req;
	bool waited = req->ready_us != 0 && req->called_us > req->ready_us;

	(void)name;
	access_put_number(line, waited ? req->called_us - req->ready_us : 0);
}

static void
put_application_time(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_number(line, meter_application_us(line->req));
}

/* A worker's own row says it without a system call. */
static void
put_plain_pid(struct access_line *line, struct slice name)
{
	(void)name;
	access_put_number(line,
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
	access_put_value(line, slice_str(self.settings->name));
}

static void
put_stamp(struct access_line *line, struct slice name)
{
	char when[WALL_STAMP];

	(void)name;
	wall_stamp(when);
	access_put_value(line, slice_of(when, sizeof(when)));
}

static void
put_level(struct access_line *line, struct slice name)
{
	(void)name;
	access_put(line, SLICE("\"info\""));
}

/* ---- All of them ---- */

static const struct access_atom atoms[] = {
	{ .letter = 'h', .put = access_put_peer },
	{ .letter = 'l', .put = access_put_nothing },
	{ .letter = 'u', .put = access_put_user },
	{ .letter = 't', .put = put_time },
	{ .letter = 'r', .put = access_put_request_line },
	{ .letter = 's', .put = access_put_status },
	{ .letter = 'm', .put = access_put_method },
	{ .letter = 'U', .put = access_put_path },
	{ .letter = 'q', .put = access_put_query },
	{ .letter = 'H', .put = access_put_protocol },
	{ .letter = 'b', .put = access_put_bytes_or_dash },
	{ .letter = 'B', .put = access_put_bytes },
	{ .letter = 'f', .put = access_put_referer },
	{ .letter = 'a', .put = access_put_agent },
	{ .letter = 'T', .put = put_seconds, .is_time = true },
	{ .letter = 'M', .put = put_milliseconds, .is_time = true },
	{ .letter = 'D', .put = put_microseconds, .is_time = true },
	{ .letter = 'L', .put = put_decimal_seconds, .is_time = true },
	{ .letter = 'p', .put = put_pid },
	{ .letter = ACCESS_ID, .put = access_put_id },
	{ .letter = 'Q', .put = put_queue_time, .is_time = true },
	{ .letter = 'A', .put = put_application_time },
	{ .letter = 'I', .put = access_put_received },
	{ .letter = 'R', .put = put_pool },
	{ .letter = 'w', .put = put_plain_pid },
	{ .letter = 'i', .put = access_put_request_field, .is_named = true },
	{ .letter = 'o', .put = access_put_response_field, .is_named = true },
	{ .letter = 'e', .put = access_put_variable, .is_named = true },
};

const struct access_member access_members[] = {
	{ "time", put_stamp },
	{ "level", put_level },
	{ "pid", put_plain_pid },
	{ "pool", put_pool },
	{ "request_id", access_put_id },
	{ "client", access_put_peer },
	{ "host", access_put_host },
	{ "method", access_put_method },
	{ "path", access_put_raw_path },
	{ "query", access_put_query },
	{ "protocol", access_put_protocol },
	{ "status", access_put_status },
	{ "bytes_out", access_put_bytes },
	{ "bytes_in", access_put_received },
	{ "duration_us", put_microseconds },
	{ "queue_us", put_queue_time },
	{ "app_us", put_application_time },
	{ "referer", access_put_referer },
	{ "user_agent", access_put_agent },
};

const size_t access_n_members = sizeof(access_members) / sizeof(access_members[0]);

static const struct access_atom unknown = { .put = access_put_nothing };

const struct access_atom *
access_atom_find(const struct access_part *part)
{
	for (size_t i = 0; i < sizeof(atoms) / sizeof(atoms[0]); i++)
		if (atoms[i].letter == part->atom &&
			atoms[i].is_named == (part->text.len > 0))
			return &atoms[i];
	return &unknown;
}
