#include "gateway/arbiter/board_keep.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/arbiter/inside.h"
#include "gateway/arbiter/pool.h"

int
board_keep_init(struct family *f)
{
	struct board *b;

	if (board_init(&f->board) != 0)
		return -1;
	b = f->board.own;
	snprintf(b->program, sizeof(b->program), "%s", ALICORN_VERSION);
	b->pid = getpid();
	b->started = time(NULL);
	return 0;
}

/* ---- Rows ---- */

struct board_app *
board_keep_row(struct board *b, const struct pool *pool)
{
	unsigned row = board_row(b, pool->app->name);

	return row != 0 ? &b->apps[row - 1] : NULL;
}

enum board_kind
board_keep_kind(const struct pool *pool)
{
	if (pool->kind == &kind_program)
		return BOARD_PROGRAMS;
	return pool->kind == &kind_prototype ? BOARD_PROTOTYPES : BOARD_WORKERS;
}

void
board_keep_child(struct family *f, const struct child *child)
{
	const struct pool *pool = child->pool;
	unsigned row = board_row(f->board.own, pool->app->name);

	if (child->slot == NULL)
		return;
	child->slot->generation = pool->heritage.generation;
	child->slot->app = row;
}

static void
add_slow(struct board_app *row, const struct slot *slot)
{
	struct slow_request request;

	for (size_t i = 0; i < SLOW_ROWS; i++)
		if (slow_read(&slot->slow.rows[i], &request))
			slow_put(row->slow, SLOW_ROWS_ALL, &request);
}

void
board_keep_return(struct family *f, const struct child *child)
{
	struct board_app *row = board_keep_row(f->board.own, child->pool);

	board_write_begin(f->board.own);
	if (row != NULL) {
		tally_add(&row->gone, &child->slot->tally);
		add_slow(row, child->slot);
	}
	slot_give_back(child->slot);
	board_write_end(f->board.own);
}

void
board_keep_answered(const struct child *child, unsigned status, uint64_t now)
{
	struct slot *slot = child->slot;
	struct slow_request slow = {
		.us = (now - slot->busy_since) * 1000,
		.at = time(NULL),
		.pid = child->pid,
		.status = status,
	};

	snprintf(slow.line, sizeof(slow.line), "%.*s", SLOW_LINE - 1, slot->request);
	snprintf(slow.id, sizeof(slow.id), "%.*s", SLOW_ID - 1, slot->request_id);
	tally_count(&slot->tally.responses[TALLY_5XX], 1);
	histogram_add(&slot->tally.application, slow.us);
	slow_note(&slot->slow, &slow);
}

/* ---- Deaths ---- */

/* What child_kill() and the like were told, and what it is called here; RESTARTS:
 * it was not wanted any more. */
static const struct {
	const char *killed_for;
	enum board_restart reason;
} verdicts[] = {
	{ "request timeout", RESTART_TIMEOUT },
	{ "memory limit", RESTART_MEMORY },
	{ "boot timeout", RESTART_BOOT },
	{ "forced", RESTARTS },
};

static enum board_restart
judge_kill(const char *killed_for)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (strcmp(verdicts[i].killed_for, killed_for) == 0)
			return verdicts[i].reason;
	return RESTART_KILLED;
}

static bool
is_from_outside(int number)
{
	return number == SIGKILL || number == SIGTERM || number == SIGQUIT ||
		number == SIGINT;
}

static enum board_restart
judge(const struct child *child, int status)
{
	if (child->killed_for != NULL)
		return judge_kill(child->killed_for);
	if (child->state == CHILD_STOPPING)
		return child->recycle[0] != '\0' ? RESTART_RECYCLED : RESTARTS;
	if (child->ready == 0)
		return RESTART_BOOT;
	if (WIFSIGNALED(status))
		return is_from_outside(WTERMSIG(status)) ? RESTART_KILLED
							 : RESTART_CRASH;
	return RESTART_EXIT;
}

static void
count_death(struct family *f, const struct child *child, enum board_restart reason)
{
	struct board_app *row = board_keep_row(f->board.own, child->pool);

	if (row != NULL && reason != RESTARTS)
		row->restarts[reason]++;
}

void
board_keep_death(struct family *f, const struct child *child, int status)
{
	count_death(f, child, judge(child, status));
}

void
board_keep_unborn(struct family *f, const struct child *child)
{
	count_death(f, child, child->state == CHILD_STOPPING ? RESTARTS : RESTART_BOOT);
}

/* ---- The state of things ---- */

static enum board_state
state_of(const struct arbiter *a)
{
	if (a->stop != STOP_NO)
		return BOARD_STOPPING;
	if (!a->is_up)
		return BOARD_STARTING;
	return reload_is_paused(&a->reload) ? BOARD_PAUSED : BOARD_SERVING;
}

static void
write_server(struct board *b, const struct arbiter *a)
{
	b->state = state_of(a);
	b->generation = a->reload.current->number;
	b->reloads = a->reload.done;
	b->failed_reloads = a->reload.failed;
	if (strncmp(b->failure, a->reload.last_failure, BOARD_FAILURE - 1) != 0)
		snprintf(b->failure, BOARD_FAILURE, "%s", a->reload.last_failure);
}

static void
clear_processes(struct board *b)
{
	for (size_t i = 0; i < b->n_apps; i++) {
		b->apps[i].present = false;
		for (size_t k = 0; k < BOARD_KINDS; k++) {
			struct board_processes *p = &b->apps[i].processes[k];
			p->wanted = p->booting = p->ready = 0;
			p->serving = p->stopping = 0;
		}
	}
}

static void
write_text(char *text, size_t room, const char *now)
{
	if (now != NULL && strncmp(text, now, room - 1) != 0)
		snprintf(text, room, "%s", now);
}

static void
write_pool(struct board *b, const struct pool *pool, bool is_current)
{
	struct board_app *row = board_keep_row(b, pool);

	if (row == NULL || (!is_current && pool_present(pool) == 0))
		return;
	struct board_processes *p = &row->processes[board_keep_kind(pool)];
	row->present = true;
	p->booting += pool->count[CHILD_BOOTING];
	p->ready += pool->count[CHILD_READY];
	p->serving += pool->count[CHILD_SERVING];
	p->stopping += pool->count[CHILD_STOPPING];
	if (!is_current)
		return;
	p->wanted += pool->stop == STOP_NO ? pool->target : 0;
	write_text(row->target, sizeof(row->target), pool->app->what.text);
	write_text(row->binding, sizeof(row->binding), pool->app->what.binding);
	if (pool->heritage.queue != NULL)
		row->queue_depth = pool->heritage.queue->state->depth;
}

static void
write_generation(struct board *b, const struct generation *g, bool is_current)
{
	for (size_t i = 0; i < g->n_pools; i++)
		write_pool(b, &g->pools[i], is_current);
}

void
board_keep_look(struct family *f, bool memory)
{
	f->look |= LOOK_SHORT;
	if (memory)
		f->look |= LOOK_MEMORY;
}

void
board_keep_publish(struct arbiter *a, uint64_t now)
{
	struct board *b = a->family.board.own;
	const struct generation *g;

	if (a->family.look & LOOK_MEMORY)
		board_keep_measure(a, now);
	board_write_begin(b);
	write_server(b, a);
	clear_processes(b);
	write_generation(b, a->reload.current, true);
	TAILQ_FOREACH (g, &a->reload.retired, next)
		write_generation(b, g, false);
	if (a->reload.coming != NULL)
		write_generation(b, a->reload.coming, false);
	board_write_end(b);
	if (a->family.look != 0)
		b->looks++;
	a->family.look = 0;
}
