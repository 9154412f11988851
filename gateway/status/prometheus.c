/*
 * A status in Prometheus' text format 0.0.4: a family of metrics begins with what it is
 * and of which type; then a line for each application.
 */
#include <inttypes.h>

#include "gateway/status/render.h"

/* Buckets of histograms: powers of two of microseconds, so that each is a sum of ours.
 */
enum { BUCKET_FIRST = 7, BUCKET_LAST = 26 };

struct family {
	const char *name;
	const char *type;
	const char *help;
	void (*put)(struct buffer *out, const struct family *f, const struct status *s);
};

/* ---- Lines ---- */

/* Label values escape these three. */
static void
put_label(struct buffer *out, const char *name, const char *value)
{
	buffer_addf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			buffer_add_str(out, "\\n");
		else if (*value == '"' || *value == '\\')
			buffer_addf(out, "\\%c", *value);
		else
			buffer_add_char(out, *value);
	}
	buffer_add_char(out, '"');
}

/* Of an application; NULL: the line has no other label. */
static void
put_line(struct buffer *out, const char *name, const char *app, const char *label,
	const char *value, uint64_t number)
{
	buffer_addf(out, "%s{", name);
	put_label(out, "app", app);
	if (label != NULL) {
		buffer_add_char(out, ',');
		put_label(out, label, value);
	}
	buffer_addf(out, "} %" PRIu64 "\n", number);
}

static void
put_alone(struct buffer *out, const struct family *f, uint64_t number)
{
	buffer_addf(out, "%s %" PRIu64 "\n", f->name, number);
}

/* ---- The server ---- */

static void
put_info(struct buffer *out, const struct family *f, const struct status *s)
{
	buffer_addf(out, "%s{", f->name);
	put_label(out, "version", s->program);
	buffer_add_str(out, "} 1\n");
}

static void
put_started(struct buffer *out, const struct family *f, const struct status *s)
{
	put_alone(out, f, (uint64_t)s->started);
}

static void
put_ready(struct buffer *out, const struct family *f, const struct status *s)
{
	put_alone(out, f, s->is_ready);
}

static void
put_generation(struct buffer *out, const struct family *f, const struct status *s)
{
	put_alone(out, f, s->generation);
}

static void
put_reloads(struct buffer *out, const struct family *f, const struct status *s)
{
	buffer_addf(out, "%s{result=\"done\"} %" PRIu64 "\n", f->name, s->reloads);
	buffer_addf(
		out, "%s{result=\"failed\"} %" PRIu64 "\n", f->name, s->failed_reloads);
}

/* ---- Applications ---- */

static void
put_requests(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		for (size_t k = 0; k < TALLY_RESPONSES; k++)
			put_line(out, f->name, s->apps[i].name, "status",
				status_response_names[k],
				s->apps[i].tally.responses[k]);
}

static void
put_histogram(struct buffer *out, const struct family *f, const char *app,
	const struct histogram *h)
{
	uint64_t total = histogram_total(h);

	for (unsigned i = BUCKET_FIRST; i <= BUCKET_LAST; i++) {
		uint64_t us = (uint64_t)1 << i;
		buffer_addf(out, "%s_bucket{", f->name);
		put_label(out, "app", app);
		buffer_addf(out, ",le=\"%.9g\"} %" PRIu64 "\n", (double)us / 1e6,
			histogram_below(h, us));
	}
	buffer_addf(out, "%s_bucket{", f->name);
	put_label(out, "app", app);
	buffer_addf(out, ",le=\"+Inf\"} %" PRIu64 "\n%s_sum{", total, f->name);
	put_label(out, "app", app);
	buffer_addf(out, "} %.6f\n%s_count{", (double)h->sum_us / 1e6, f->name);
	put_label(out, "app", app);
	buffer_addf(out, "} %" PRIu64 "\n", total);
}

static void
put_durations(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		put_histogram(out, f, s->apps[i].name, &s->apps[i].tally.application);
}

static void
put_queue_waits(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		put_histogram(out, f, s->apps[i].name, &s->apps[i].tally.queue);
}

static void
put_received(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		put_line(out, f->name, s->apps[i].name, NULL, NULL,
			s->apps[i].tally.bytes_in);
}

static void
put_sent(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		put_line(out, f->name, s->apps[i].name, NULL, NULL,
			s->apps[i].tally.bytes_out);
}

static void
put_in_flight(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		put_line(out, f->name, s->apps[i].name, NULL, NULL,
			s->apps[i].in_flight);
}

static void
put_connections(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++) {
		const struct status_app *a = &s->apps[i];
		put_line(out, f->name, a->name, "state", "idle", a->idle);
		put_line(out, f->name, a->name, "state", "active",
			a->connections > a->idle ? a->connections - a->idle : 0);
	}
}

static void
put_workers(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		for (size_t k = 0; k < STATUS_ACTIVITIES; k++)
			put_line(out, f->name, s->apps[i].name, "state",
				status_activity_names[k], s->apps[i].workers[k]);
}

static void
put_wanted(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		put_line(out, f->name, s->apps[i].name, NULL, NULL,
			s->apps[i].processes[BOARD_WORKERS].wanted);
}

static void
put_programs(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++) {
		const struct status_app *a = &s->apps[i];
		const struct status_processes *p = &a->processes[BOARD_PROGRAMS];
		if (p->wanted + p->booting + p->ready + p->serving + p->stopping == 0)
			continue;
		put_line(out, f->name, a->name, "state", "booting",
			p->booting + p->ready);
		put_line(out, f->name, a->name, "state", "serving", p->serving);
		put_line(out, f->name, a->name, "state", "stopping", p->stopping);
	}
}

static void
put_restarts(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		for (size_t k = 0; k < RESTARTS; k++)
			put_line(out, f->name, s->apps[i].name, "reason",
				status_restart_names[k], s->apps[i].restarts[k]);
}

static void
put_queue_depth(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		put_line(out, f->name, s->apps[i].name, NULL, NULL,
			s->apps[i].queue_depth);
}

static void
put_backlog(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++)
		if (s->apps[i].backlog >= 0)
			put_line(out, f->name, s->apps[i].name, NULL, NULL,
				(uint64_t)s->apps[i].backlog);
}

static void
put_memory(struct buffer *out, const struct family *f, const struct status *s)
{
	for (size_t i = 0; i < s->n_apps; i++) {
		const struct status_app *a = &s->apps[i];
		put_line(out, f->name, a->name, "type", "resident",
			status_memory(a, false));
		put_line(out, f->name, a->name, "type", "proportional",
			status_memory(a, true));
	}
}

/* ---- All of them ---- */

static const struct family families[] = {
	{ "alicorn_build_info", "gauge", "What runs.", put_info },
	{ "alicorn_start_time_seconds", "gauge",
		"When the server was started, since 1970.", put_started },
	{ "alicorn_ready", "gauge",
		"1: every application is served and the server does not stop.",
		put_ready },
	{ "alicorn_generation", "gauge", "Number of the configuration that serves.",
		put_generation },
	{ "alicorn_reloads_total", "counter", "Reloads, by what became of them.",
		put_reloads },
	{ "alicorn_requests_total", "counter",
		"Requests that have ended, by the first digit of the status; 499: the "
		"client left before there was one.",
		put_requests },
	{ "alicorn_request_duration_seconds", "histogram",
		"Time of requests in the application.", put_durations },
	{ "alicorn_queue_wait_seconds", "histogram",
		"Time of requests in the queue between workers.", put_queue_waits },
	{ "alicorn_received_bytes_total", "counter", "Heads and bodies of requests.",
		put_received },
	{ "alicorn_sent_bytes_total", "counter", "Responses.", put_sent },
	{ "alicorn_requests_in_flight", "gauge", "Requests that the application has.",
		put_in_flight },
	{ "alicorn_connections", "gauge",
		"Connections of clients: idle ones have no request.", put_connections },
	{ "alicorn_workers", "gauge", "Workers, by what they do.", put_workers },
	{ "alicorn_workers_wanted", "gauge", "Workers that there shall be.",
		put_wanted },
	{ "alicorn_programs", "gauge", "Managed programs, by their state.",
		put_programs },
	{ "alicorn_restarts_total", "counter",
		"Processes that ended though they were wanted, by the reason.",
		put_restarts },
	{ "alicorn_queue_depth", "gauge", "Connections in the queue between workers.",
		put_queue_depth },
	{ "alicorn_listen_backlog", "gauge", "Connections that wait to be accepted.",
		put_backlog },
	{ "alicorn_worker_memory_bytes", "gauge",
		"Memory of an application's processes; proportional: what they share "
		"is counted once.",
		put_memory },
};

void
status_prometheus(struct buffer *out, const struct status *now)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct family *f = &families[i];
		buffer_addf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help,
			f->name, f->type);
		f->put(out, f, now);
	}
}
