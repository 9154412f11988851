/* A status as a person reads it at a terminal. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gateway/status/render.h"

enum { LINE_BYTES = 1024, TEXT = 32 };

#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define DIM "\033[2m"

/* A line, cut to the width. What came from clients gives the terminal no orders. */
static void __attribute__((format(printf, 4, 5))) put_line(struct buffer *out,
	const struct status_style *style, const char *colour, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	size_t len = n < 0 ? 0 : strlen(line);
	if (style->columns != 0 && len > style->columns)
		len = style->columns;
	for (size_t i = 0; i < len; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	if (style->colours && colour != NULL)
		buffer_add_str(out, colour);
	buffer_add(out, line, len);
	if (style->colours && colour != NULL)
		buffer_add_str(out, "\033[0m");
	buffer_add_char(out, '\n');
}

/* ---- Numbers ---- */

/* With three digits: 870us, 1.23ms, 12.3ms, 123ms, 1.23s; "-" for none. */
static const char *
write_duration(char text[TEXT], uint64_t us, bool any)
{
	static const struct {
		uint64_t below;
		double divisor;
		int decimals;
		const char *unit;
	} forms[] = {
		{ 1000, 1, 0, "us" },
		{ 10000, 1e3, 2, "ms" },
		{ 100000, 1e3, 1, "ms" },
		{ 1000000, 1e3, 0, "ms" },
		{ 10000000, 1e6, 2, "s" },
		{ UINT64_MAX, 1e6, 1, "s" },
	};
	size_t i = 0;

	while (us >= forms[i].below && i + 1 < sizeof(forms) / sizeof(forms[0]))
		i++;
	if (any)
		snprintf(text, TEXT, "%.*f%s", forms[i].decimals,
			(double)us / forms[i].divisor, forms[i].unit);
	else
		snprintf(text, TEXT, "-");
	return text;
}

/* 512K, 12.3M, 1.2G; "-" where it is not known. */
static const char *
write_bytes(char text[TEXT], uint64_t bytes)
{
	static const char units[] = "BKMGT";
	double n = (double)bytes;
	size_t i = 0;

	for (; n >= 1024 && i + 2 < sizeof(units); i++)
		n /= 1024;
	if (bytes == 0)
		snprintf(text, TEXT, "-");
	else
		snprintf(text, TEXT, n < 100 && i > 0 ? "%.1f%c" : "%.0f%c", n,
			units[i]);
	return text;
}

/* 3d 4h, 2h 10m, 5m 3s, 42s. */
static const char *
write_age(char text[TEXT], int64_t seconds)
{
	static const struct {
		int64_t unit, part;
		char letters[2];
	} forms[] = {
		{ 86400, 3600, "dh" },
		{ 3600, 60, "hm" },
		{ 60, 1, "ms" },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (seconds < forms[i].unit)
			continue;
		snprintf(text, TEXT, "%" PRId64 "%c %" PRId64 "%c",
			seconds / forms[i].unit, forms[i].letters[0],
			seconds % forms[i].unit / forms[i].part, forms[i].letters[1]);
		return text;
	}
	snprintf(text, TEXT, "%" PRId64 "s", seconds);
	return text;
}

/* ---- The table ---- */

static void
put_server(struct buffer *out, const struct status *s, const struct status_style *style)
{
	char age[TEXT];
	bool well = s->state == BOARD_SERVING;

	put_line(out, style, well ? GREEN : RED,
		"alicorn %s, pid %d: %s%s, generation %u, up %s", s->program,
		(int)s->pid, status_state_names[s->state],
		well && !s->is_ready ? ", not ready" : "", s->generation,
		write_age(age, s->at_ms / 1000 - s->started));
	if (s->failure[0] != '\0')
		put_line(out, style, RED, "the last reload failed: %s", s->failure);
}

static void
put_head(struct buffer *out, const struct status_style *style)
{
	put_line(out, style, BOLD, "%-16s %9s %8s %7s %10s %7s %7s %7s %7s %6s %5s %8s",
		"APPLICATION", "BUSY", "REQ/S", "5XX/S", "REQUESTS", "5XX", "P50",
		"P99", "P99.9", "QUEUE", "DIED", "MEMORY");
}

/* Of what happened since the last look, if there was one. */
static void
put_app(struct buffer *out, const struct status *s, size_t i,
	const struct status *before, const struct status_style *style)
{
	static const double shown[] = { 0.5, 0.99, 0.999 };
	static const size_t recent[] = { 0, 2, 3 };
	const struct status_app *a = &s->apps[i];
	struct status_recent r;
	char times[3][TEXT], memory[TEXT], busy[TEXT], rate[TEXT] = "-",
						       errors[TEXT] = "-";

	status_recent(&r, s, i, before);
	for (size_t k = 0; k < 3; k++) {
		uint64_t us = r.seconds != 0
			? r.quantiles[recent[k]]
			: histogram_quantile(&a->tally.application, shown[k]);
		write_duration(times[k], us, us != 0);
	}
	if (r.seconds != 0) {
		snprintf(rate, TEXT, "%.1f", r.requests);
		snprintf(errors, TEXT, "%.1f", r.errors);
	}
	snprintf(busy, TEXT, "%u/%u", a->workers[STATUS_BUSY],
		a->processes[BOARD_WORKERS].wanted);
	put_line(out, style, r.errors > 0 ? RED : NULL,
		"%-16.16s %9s %8s %7s %10" PRIu64 " %7" PRIu64
		" %7s %7s %7s %6u %5" PRIu64 " %8s",
		a->name, busy, rate, errors, tally_responses(&a->tally),
		(uint64_t)a->tally.responses[TALLY_5XX], times[0], times[1], times[2],
		a->queue_depth, status_restarts(a),
		write_bytes(memory, status_memory(a, false)));
}

static void
put_worker(struct buffer *out, const struct status_worker *w,
	const struct status_style *style)
{
	char memory[TEXT], busy[TEXT];

	put_line(out, style, w->activity == STATUS_BUSY ? NULL : DIM,
		"  %-8d %-8s %7s %4u conn %10" PRIu64 " req %8s  %s", (int)w->pid,
		status_activity_names[w->activity],
		write_duration(busy, w->busy_ms * 1000, w->busy_ms != 0),
		w->connections, w->requests, write_bytes(memory, w->resident),
		w->activity == STATUS_BUSY ? w->request : "");
}

void
status_table(struct buffer *out, const struct status *now, const struct status *before,
	const struct status_style *style)
{
	put_server(out, now, style);
	buffer_add_char(out, '\n');
	put_head(out, style);
	for (size_t i = 0; i < now->n_apps; i++) {
		const struct status_app *a = &now->apps[i];
		put_app(out, now, i, before, style);
		for (size_t k = 0; k < a->n_workers && style->workers; k++)
			put_worker(out, &now->workers[a->first_worker + k], style);
	}
}

static void
put_slow(struct buffer *out, const struct status_app *a, const struct slow_request *r,
	const struct status_style *style)
{
	char at[TEXT] = "", took[TEXT];
	time_t seconds = (time_t)r->at;
	struct tm local;

	if (localtime_r(&seconds, &local) != NULL)
		strftime(at, sizeof(at), "%Y-%m-%d %H:%M:%S", &local);
	put_line(out, style, NULL, "%-19s %7s %3u %7d %-12.12s %s%s%s", at,
		write_duration(took, r->us, true), r->status, (int)r->pid, a->name,
		r->line, r->id[0] != '\0' ? "  " : "", r->id);
}

void
status_slow_table(struct buffer *out, const struct status *now, const char *app,
	const struct status_style *style)
{
	put_line(out, style, BOLD, "%-19s %7s %3s %7s %-12s %s", "ENDED", "TOOK", "",
		"PID", "APPLICATION", "REQUEST");
	for (size_t i = 0; i < now->n_apps; i++) {
		const struct status_app *a = &now->apps[i];
		if (app != NULL && strcmp(app, a->name) != 0)
			continue;
		for (size_t k = 0; k < a->n_slow; k++)
			put_slow(out, a, &a->slow[k], style);
	}
}
