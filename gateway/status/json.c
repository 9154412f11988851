/* A status as JSON (RFC 8259). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/status/render.h"
#include "protocols/json.h"

enum { LONGEST_ESCAPE = 6 }; /* \u001b */

/* ---- Texts ---- */

void
json_string(struct buffer *out, const char *text)
{
	struct slice s = slice_str(text);
	size_t most = s.len * LONGEST_ESCAPE + 1; /* with the first quote */
	char *at = buffer_reserve(out, most + 2);

	if (at != NULL)
		out->len += (size_t)(json_text(at, at + most, s) - at);
}

/* A member, with the comma behind the one before it. */
static void
put_name(struct buffer *out, const char *name)
{
	char last = out->len > 0 ? out->ptr[out->len - 1] : '{';

	if (last != '{' && last != '[')
		buffer_add_char(out, ',');
	json_string(out, name);
	buffer_add_char(out, ':');
}

static void
put_text(struct buffer *out, const char *name, const char *text)
{
	put_name(out, name);
	if (text[0] == '\0')
		buffer_add_str(out, "null");
	else
		json_string(out, text);
}

static void
put_number(struct buffer *out, const char *name, uint64_t number)
{
	put_name(out, name);
	buffer_addf(out, "%" PRIu64, number);
}

static void
put_decimal(struct buffer *out, const char *name, double number)
{
	put_name(out, name);
	buffer_addf(out, "%.3f", number);
}

static void
put_bool(struct buffer *out, const char *name, bool is)
{
	put_name(out, name);
	buffer_add_str(out, is ? "true" : "false");
}

static void
open_object(struct buffer *out, const char *name)
{
	put_name(out, name);
	buffer_add_char(out, '{');
}

/* An object in an array. */
static void
next_object(struct buffer *out)
{
	if (out->len > 0 && out->ptr[out->len - 1] != '[')
		buffer_add_char(out, ',');
	buffer_add_char(out, '{');
}

static void
open_array(struct buffer *out, const char *name)
{
	put_name(out, name);
	buffer_add_char(out, '[');
}

static void
end(struct buffer *out, char bracket)
{
	buffer_add_char(out, bracket);
}

/* ---- Parts ---- */

static void
put_server(struct buffer *out, const struct status *s)
{
	open_object(out, "server");
	put_text(out, "version", s->program);
	put_number(out, "pid", (uint64_t)s->pid);
	put_text(out, "state", status_state_names[s->state]);
	put_bool(out, "ready", s->is_ready);
	put_number(out, "started", (uint64_t)s->started);
	put_number(out, "time_ms", (uint64_t)s->at_ms);
	put_number(out, "uptime", (uint64_t)(s->at_ms / 1000 - s->started));
	put_number(out, "generation", s->generation);
	put_number(out, "reloads", s->reloads);
	put_number(out, "failed_reloads", s->failed_reloads);
	put_text(out, "last_failure", s->failure);
	end(out, '}');
}

static void
put_histogram(struct buffer *out, const char *name, const struct histogram *h)
{
	uint64_t total = histogram_total(h);

	open_object(out, name);
	put_number(out, "count", total);
	put_decimal(out, "mean_ms",
		total != 0 ? (double)h->sum_us / (double)total / 1e3 : 0);
	for (size_t i = 0; i < 4; i++) {
		char text[16] = "";
		snprintf(text, sizeof(text), "%s_ms", status_quantile_names[i]);
		put_decimal(out, text,
			(double)histogram_quantile(h, status_quantiles[i]) / 1e3);
	}
	put_decimal(out, "max_ms", (double)histogram_quantile(h, 1) / 1e3);
	end(out, '}');
}

static void
put_recent(struct buffer *out, const struct status *s, size_t app,
	const struct status *before)
{
	struct status_recent r;

	status_recent(&r, s, app, before);
	if (r.seconds == 0)
		return;
	open_object(out, "recent");
	put_decimal(out, "seconds", r.seconds);
	put_decimal(out, "requests_per_second", r.requests);
	put_decimal(out, "errors_per_second", r.errors);
	for (size_t i = 0; i < 4; i++) {
		char text[16];
		snprintf(text, sizeof(text), "%s_ms", status_quantile_names[i]);
		put_decimal(out, text, (double)r.quantiles[i] / 1e3);
	}
	end(out, '}');
}

static void
put_processes(struct buffer *out, const char *name, const struct status_processes *p)
{
	open_object(out, name);
	put_number(out, "wanted", p->wanted);
	put_number(out, "booting", p->booting + p->ready);
	put_number(out, "serving", p->serving);
	put_number(out, "stopping", p->stopping);
	put_number(out, "resident_bytes", p->resident);
	put_number(out, "proportional_bytes", p->proportional);
	end(out, '}');
}

static bool
has_processes(const struct status_processes *p)
{
	return p->wanted + p->booting + p->ready + p->serving + p->stopping > 0;
}

static void
put_workers(struct buffer *out, const struct status_app *a)
{
	open_object(out, "workers");
	put_number(out, "wanted", a->processes[BOARD_WORKERS].wanted);
	for (size_t i = 0; i < STATUS_ACTIVITIES; i++)
		put_number(out, status_activity_names[i], a->workers[i]);
	end(out, '}');
	for (size_t i = BOARD_WORKERS + 1; i < BOARD_KINDS; i++)
		if (has_processes(&a->processes[i]))
			put_processes(out, status_kind_names[i], &a->processes[i]);
}

static void
put_worker(struct buffer *out, const struct status_worker *w)
{
	next_object(out);
	put_number(out, "pid", (uint64_t)w->pid);
	put_text(out, "state", status_activity_names[w->activity]);
	put_number(out, "generation", w->generation);
	put_number(out, "busy_ms", w->busy_ms);
	put_number(out, "requests", w->requests);
	put_number(out, "connections", w->connections);
	put_number(out, "idle_connections", w->idle);
	put_number(out, "in_flight", w->in_flight);
	put_number(out, "resident_bytes", w->resident);
	put_number(out, "proportional_bytes", w->proportional);
	put_text(out, "request", w->request);
	put_text(out, "request_id", w->request_id);
	end(out, '}');
}

static void
put_responses(struct buffer *out, const struct tally *t)
{
	put_number(out, "requests", tally_responses(t));
	open_object(out, "responses");
	for (size_t i = 0; i < TALLY_RESPONSES; i++)
		put_number(out, status_response_names[i], t->responses[i]);
	end(out, '}');
	put_number(out, "received_bytes", t->bytes_in);
	put_number(out, "sent_bytes", t->bytes_out);
}

static void
put_now(struct buffer *out, const struct status_app *a)
{
	put_number(out, "in_flight", a->in_flight);
	open_object(out, "connections");
	put_number(out, "idle", a->idle);
	put_number(
		out, "active", a->connections > a->idle ? a->connections - a->idle : 0);
	end(out, '}');
	put_number(out, "queue_depth", a->queue_depth);
	put_name(out, "listen_backlog");
	if (a->backlog >= 0)
		buffer_addf(out, "%" PRId64, a->backlog);
	else
		buffer_add_str(out, "null");
	open_object(out, "memory");
	put_number(out, "resident_bytes", status_memory(a, false));
	put_number(out, "proportional_bytes", status_memory(a, true));
	end(out, '}');
}

static void
put_restarts(struct buffer *out, const struct status_app *a)
{
	open_object(out, "restarts");
	for (size_t i = 0; i < RESTARTS; i++)
		put_number(out, status_restart_names[i], a->restarts[i]);
	end(out, '}');
}

static void
put_slow(struct buffer *out, const struct slow_request *r, const char *app)
{
	next_object(out);
	if (app != NULL)
		put_text(out, "application", app);
	put_number(out, "at", (uint64_t)r->at);
	put_decimal(out, "duration_ms", (double)r->us / 1e3);
	put_number(out, "status", r->status);
	put_number(out, "pid", (uint64_t)r->pid);
	put_text(out, "id", r->id);
	put_text(out, "request", r->line);
	end(out, '}');
}

static void
put_app(struct buffer *out, const struct status *s, size_t i,
	const struct status *before)
{
	const struct status_app *a = &s->apps[i];

	next_object(out);
	put_text(out, "name", a->name);
	put_text(out, "target", a->target);
	put_text(out, "binding", a->binding);
	put_responses(out, &a->tally);
	put_histogram(out, "latency", &a->tally.application);
	put_histogram(out, "queue_wait", &a->tally.queue);
	put_recent(out, s, i, before);
	put_now(out, a);
	put_restarts(out, a);
	put_workers(out, a);
	open_array(out, "processes");
	for (size_t k = 0; k < a->n_workers; k++)
		put_worker(out, &s->workers[a->first_worker + k]);
	end(out, ']');
	open_array(out, "slow");
	for (size_t k = 0; k < a->n_slow; k++)
		put_slow(out, &a->slow[k], NULL);
	end(out, ']');
	end(out, '}');
}

void
status_json(struct buffer *out, const struct status *now, const struct status *before)
{
	buffer_add_char(out, '{');
	put_server(out, now);
	open_array(out, "applications");
	for (size_t i = 0; i < now->n_apps; i++)
		put_app(out, now, i, before);
	end(out, ']');
	end(out, '}');
}

void
status_slow_json(struct buffer *out, const struct status *now, const char *app)
{
	buffer_add_char(out, '[');
	for (size_t i = 0; i < now->n_apps; i++) {
		const struct status_app *a = &now->apps[i];
		if (app != NULL && strcmp(app, a->name) != 0)
			continue;
		for (size_t k = 0; k < a->n_slow; k++)
			put_slow(out, &a->slow[k], a->name);
	}
	buffer_add_char(out, ']');
}
