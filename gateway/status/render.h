/*
 * The texts that are made of a status. Each appends to the buffer, whose failure tells
 * that memory was out. With an earlier status, or NULL, they also tell what happened
 * between the two.
 */
#ifndef STATUS_RENDER_H
#define STATUS_RENDER_H

#include "gateway/status/status.h"
#include "protocols/buffer.h"

/* One object, in one line without its end. */
void status_json(
	struct buffer *out, const struct status *now, const struct status *before);

/* One array, the slowest requests of all applications (or of one; NULL: all). */
void status_slow_json(struct buffer *out, const struct status *now, const char *app);

/* Prometheus' text format 0.0.4. */
void status_prometheus(struct buffer *out, const struct status *now);

/* For a person at a terminal, at most so many columns wide; 0: as wide as it gets. */
struct status_style {
	unsigned columns;
	bool colours; /* ANSI's */
	bool workers; /* a line for each worker, too */
};

void status_table(struct buffer *out, const struct status *now,
	const struct status *before, const struct status_style *style);
void status_slow_table(struct buffer *out, const struct status *now, const char *app,
	const struct status_style *style);

/* A string of JSON with its quotes: see protocols/json.h. */
void json_string(struct buffer *out, const char *text);

#endif
