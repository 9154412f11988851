#include "gateway/worker/access_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/common/clock.h"
#include "gateway/config/log_filter.h"
#include "gateway/logger/log.h"
#include "gateway/logger/wall.h"
#include "gateway/worker/access_values.h"
#include "gateway/worker/request.h"
#include "gateway/worker/request_id.h"
#include "protocols/buffer.h"

enum { LINE_BYTES = 8190 }; /* longer lines are cut; those of the log are not longer */

struct step {
	access_atom_fn *put;
	struct slice text; /* its own text, or the name in braces */
};

/* A sink that takes lines of this application. */
struct outlet {
	unsigned sink; /* its place in the table */
	const struct log_sink *row;
	struct step *steps;
	size_t n_steps;
};

static struct outlet *outlets;
static size_t n_outlets; /* 0: there is no access log */
static bool is_timed; /* one of them asks for the time of the request */
static bool in_handler;

/* ---- The forms ---- */

static void
add_step(struct outlet *o, access_atom_fn *put, struct slice text)
{
	o->steps[o->n_steps++] = (struct step){ .put = put, .text = text };
}

/* A step has one byte of the format at least. */
static const char *
compile_format(struct outlet *o, const char *format)
{
	struct slice rest = slice_str(format);
	struct access_part part;
	const char *reason = NULL;

	o->steps = calloc(rest.len + 1, sizeof(*o->steps));
	if (o->steps == NULL)
		return strerror(errno);
	while (access_format_next(&rest, &part, &reason) == 1) {
		const struct access_atom *atom = access_atom_find(&part);
		if (part.atom == 0) {
			add_step(o, access_put, part.text);
		} else {
			add_step(o, atom->put, part.text);
			is_timed |= atom->is_time;
		}
	}
	return reason;
}

/* {"key":VALUE,"key":VALUE}; the texts between the values are kept as long as the
 * process. */
static const char *
compile_json(struct outlet *o)
{
	static struct buffer keys;
	bool have_keys = keys.len > 0;
	size_t at = 0;

	o->steps = calloc(2 * access_n_members + 1, sizeof(*o->steps));
	for (size_t i = 0; i < access_n_members && !have_keys; i++)
		buffer_addf(
			&keys, "%c\"%s\":", i == 0 ? '{' : ',', access_members[i].key);
	if (o->steps == NULL || keys.failed)
		return strerror(ENOMEM);
	for (size_t i = 0; i < access_n_members; i++) {
		size_t len = strlen(access_members[i].key) + 4;
		add_step(o, access_put, slice_of(keys.ptr + at, len));
		add_step(o, access_members[i].put, SLICE(""));
		at += len;
	}
	add_step(o, access_put, SLICE("}"));
	is_timed = true;
	return NULL;
}

static const char *
add_outlet(const struct heritage *h, size_t sink)
{
	const struct log_sink *row = &h->server->sinks[sink];
	struct outlet *o = &outlets[n_outlets++];

	*o = (struct outlet){ .sink = (unsigned)sink, .row = row };
	is_timed |= row->filter.slower_than_us != 0;
	if (row->format == SINK_JSON)
		return compile_json(o);
	return compile_format(
		o, row->atoms != NULL ? row->atoms : h->app->access_log_format);
}

const char *
access_log_open(const struct heritage *h)
{
	const struct server_settings *server = h->server;
	const char *reason = NULL;

	outlets = calloc(server->n_sinks + 1, sizeof(*outlets));
	if (outlets == NULL)
		return strerror(errno);
	for (size_t i = 0; i < server->n_sinks && reason == NULL; i++)
		if ((server->sinks[i].takes & SINK_ACCESS) != 0 &&
			sink_is_for(&server->sinks[i], h->app->name))
			reason = add_outlet(h, i);
	return reason;
}

/* ---- Lines ---- */

void
access_log_begin(struct al_request *req)
{
	if (is_timed && req->began_us == 0)
		req->began_us = clock_us();
}

void
access_log_complete(struct al_request *req)
{
	if (is_timed && req->ready_us == 0)
		req->ready_us = clock_us();
}

static bool
wants(const struct outlet *o, const struct filter_request *seen)
{
	return filter_wants(&o->row->filter, seen) &&
		filter_samples(&o->row->filter, seen);
}

static void
write_line(const struct outlet *o, struct al_request *req, uint64_t us)
{
	char text[LINE_BYTES];
	struct access_line line = {
		.at = text,
		.end = text + sizeof(text),
		.req = req,
		.us = us,
		.json = o->row->format == SINK_JSON,
		.texts_end = text + sizeof(text) - ACCESS_JSON_FIXED,
		.in_handler = in_handler,
	};

	for (size_t i = 0; i < o->n_steps; i++)
		o->steps[i].put(&line, o->steps[i].text);
	log_put(o->sink, LOG_LEVEL_INFO, slice_of(text, (size_t)(line.at - text)));
}

void
access_log(struct al_request *req)
{
	if (n_outlets == 0)
		return;
	uint64_t now = is_timed ? clock_us() : 0;
	const struct filter_request seen = {
		.status = access_status(req),
		.path = access_path(req),
		.us = now > req->began_us ? now - req->began_us : 0,
		.id = request_id(req),
	};
	for (size_t i = 0; i < n_outlets; i++)
		if (wants(&outlets[i], &seen))
			write_line(&outlets[i], req, seen.us);
}

void
access_log_last_words(void)
{
	in_handler = true;
	wall_keep_zone();
	log_last_words();
}
