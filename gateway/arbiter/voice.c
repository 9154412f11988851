#include "gateway/arbiter/voice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "gateway/common/slot.h"

static TAILQ_HEAD(, voice) all = TAILQ_HEAD_INITIALIZER(all);
static uint32_t last_id;

/* ---- Where its lines may go ---- */

static void
allow(struct source_facts *facts, uint32_t sink)
{
	facts->allowed[sink / 64] |= UINT64_C(1) << sink % 64;
}

/* Each sink once, in the form of its first row. */
static bool
takes_output(const struct source_facts *facts, const struct log_sink *row, uint32_t id)
{
	for (uint32_t i = 0; i < facts->n_outputs; i++)
		if (facts->outputs[i].sink == id)
			return false;
	return (row->takes & SINK_LOG) != 0 && facts->n_outputs < SOURCE_OUTPUTS;
}

static void
set_sinks(struct voice *v, const struct server_settings *server)
{
	struct source_facts *facts = &v->facts;
	enum log_level level;
	const char *app = facts->app[0] != '\0' ? facts->app : NULL;

	memset(facts->allowed, 0, sizeof(facts->allowed));
	facts->n_outputs = 0;
	for (size_t i = 0; i < v->table->n; i++) {
		const struct log_sink *row = &server->sinks[i];
		uint32_t id = v->table->ids[i];
		if (!sink_is_for(row, app))
			continue;
		allow(facts, id);
		if (!takes_output(facts, row, id) ||
			!log_level_parse(row->level, &level))
			continue;
		facts->outputs[facts->n_outputs].sink = id;
		facts->outputs[facts->n_outputs].format = row->format;
		facts->outputs[facts->n_outputs].level = level;
		facts->n_outputs++;
	}
}

/* ---- Life ---- */

static void
release(struct voice *v)
{
	close(v->ring);
	if (v->pipe != -1)
		close(v->pipe);
	if (v->output != -1)
		close(v->output);
	sinks_close(v->table);
	free(v);
}

/* The end of the logger alone does not wait: what a process prints waits for room. */
static int
open_ends(struct voice *v)
{
	int ends[2] = { -1, -1 };

	v->ring = ring_create();
	if (v->ring != -1 && pipe2(ends, O_CLOEXEC) == 0)
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
	v->pipe = ends[0];
	v->output = ends[1];
	return v->output != -1 ? 0 : -1;
}

struct voice *
voice_new(const struct server_settings *server, struct sink_table *table,
	const char *kind, const char *app, const struct slot *slot, bool is_patient)
{
	struct voice *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->table = table;
	sinks_share(table);
	v->facts.id = ++last_id;
	v->facts.is_patient = is_patient;
	v->facts.has_pipe = 1;
	v->facts.request_id = slot != NULL ? slot->request_id : NULL;
	v->facts.request_id_max = REQUEST_ID_MAX;
	snprintf(v->facts.kind, sizeof(v->facts.kind), "%s", kind);
	snprintf(v->facts.app, sizeof(v->facts.app), "%s", app != NULL ? app : "");
	set_sinks(v, server);
	if (open_ends(v) == -1) {
		int saved = errno;
		release(v);
		errno = saved;
		return NULL;
	}
	TAILQ_INSERT_TAIL(&all, v, next);
	return v;
}

void
voice_move(
	struct voice *v, const struct server_settings *server, struct sink_table *table)
{
	sinks_share(table);
	sinks_close(v->table);
	v->table = table;
	set_sinks(v, server);
	v->told = false;
}

void
voice_give(struct voice *v)
{
	close(v->output);
	v->output = -1;
}

void
voice_born(struct voice *v, pid_t pid)
{
	v->facts.pid = (int32_t)pid;
	v->is_known = true;
}

void
voice_end(struct voice *v)
{
	if (v->output != -1)
		voice_give(v);
	v->is_known = true;
	v->has_ended = true;
}

/* ---- The logger ---- */

void
voices_forget_told(void)
{
	struct voice *v;

	TAILQ_FOREACH (v, &all, next)
		v->told = v->pipe_told = v->end_told = false;
}

static bool
tell_one(struct voice *v, logger_send_fn *send)
{
	const struct logger_number n = { v->facts.id, 0 };

	if (!v->is_known)
		return true;
	if (!v->told)
		v->told = send(LOGGER_SOURCE, &v->facts, sizeof(v->facts), v->ring);
	if (v->told && !v->pipe_told)
		v->pipe_told =
			v->pipe == -1 || send(LOGGER_PIPE, &n, sizeof(n), v->pipe);
	if (v->pipe_told && v->has_ended && !v->end_told)
		v->end_told = send(LOGGER_SOURCE_END, &n, sizeof(n), -1);
	return v->pipe_told && v->end_told == v->has_ended;
}

bool
voices_tell(logger_send_fn *send)
{
	struct voice *v;

	TAILQ_FOREACH (v, &all, next) {
		if (!tell_one(v, send))
			return false;
	}
	return true;
}

static struct voice *
find(uint32_t id)
{
	struct voice *v;

	TAILQ_FOREACH (v, &all, next) {
		if (v->facts.id == id)
			return v;
	}
	return NULL;
}

void
voices_drained(const struct logger_number *n)
{
	struct voice *v = find(n->id);

	if (v == NULL || !v->has_ended)
		return;
	TAILQ_REMOVE(&all, v, next);
	release(v);
}

void
voices_silent(const struct logger_number *n)
{
	struct voice *v = find(n->id);

	if (v == NULL || v->pipe == -1)
		return;
	close(v->pipe);
	v->pipe = -1;
	v->facts.has_pipe = 0;
}

void
voices_each_fd(void (*fn)(int fd, void *arg), void *arg)
{
	struct voice *v;

	TAILQ_FOREACH (v, &all, next) {
		fn(v->ring, arg);
		fn(v->pipe, arg);
	}
}
