#include "gateway/status/status.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/common/clock.h"

/* Attempts to read what does not change meanwhile; the last one counts. */
enum { ATTEMPTS = 100 };

const char *const status_activity_names[] = {
	[STATUS_BOOTING] = "booting",
	[STATUS_IDLE] = "idle",
	[STATUS_BUSY] = "busy",
	[STATUS_DRAINING] = "draining",
};

const char *const status_restart_names[] = {
	[RESTART_CRASH] = "crash",
	[RESTART_EXIT] = "exit",
	[RESTART_TIMEOUT] = "timeout",
	[RESTART_MEMORY] = "memory",
	[RESTART_RECYCLED] = "recycled",
	[RESTART_KILLED] = "killed",
	[RESTART_BOOT] = "boot",
};

const char *const status_kind_names[] = {
	[BOARD_WORKERS] = "workers",
	[BOARD_PROTOTYPES] = "prototypes",
	[BOARD_PROGRAMS] = "programs",
};

const char *const status_state_names[] = {
	[BOARD_STARTING] = "starting",
	[BOARD_SERVING] = "serving",
	[BOARD_PAUSED] = "paused",
	[BOARD_STOPPING] = "stopping",
};

const char *const status_response_names[] = {
	[TALLY_1XX] = "1xx",
	[TALLY_2XX] = "2xx",
	[TALLY_3XX] = "3xx",
	[TALLY_4XX] = "4xx",
	[TALLY_5XX] = "5xx",
	[TALLY_LEFT] = "499",
};

const double status_quantiles[] = { 0.5, 0.9, 0.99, 0.999 };
const char *const status_quantile_names[] = { "p50", "p90", "p99", "p999" };

/* ---- Rows of the board ---- */

static void
read_processes(struct status_processes *p, const struct board_processes *row)
{
	*p = (struct status_processes){
		.wanted = row->wanted,
		.booting = row->booting,
		.ready = row->ready,
		.serving = row->serving,
		.stopping = row->stopping,
		.resident = row->resident,
		.proportional = row->proportional,
	};
}

static void
read_app(struct status_app *a, const struct board_app *row)
{
	*a = (struct status_app){
		.queue_depth = row->queue_depth,
		.backlog = row->backlog,
	};
	memcpy(a->name, row->name, sizeof(a->name));
	memcpy(a->target, row->target, sizeof(a->target));
	memcpy(a->binding, row->binding, sizeof(a->binding));
	for (size_t i = 0; i < BOARD_KINDS; i++)
		read_processes(&a->processes[i], &row->processes[i]);
	for (size_t i = 0; i < RESTARTS; i++)
		a->restarts[i] = row->restarts[i];
	tally_add(&a->tally, &row->gone);
}

static int
compare_slow(const void *a, const void *b)
{
	const struct slow_request *x = a, *y = b;

	return x->us < y->us ? 1 : x->us > y->us ? -1 : 0;
}

/* The slowest of these and those that are there, in order. */
static void
merge_slow(struct status_app *a, const struct slow_row *rows, size_t n)
{
	struct slow_request all[SLOW_ROWS_ALL + SLOW_ROWS_ALL];
	size_t found = a->n_slow;

	memcpy(all, a->slow, found * sizeof(all[0]));
	for (size_t i = 0; i < n; i++)
		found += slow_read(&rows[i], &all[found]);
	qsort(all, found, sizeof(all[0]), compare_slow);
	a->n_slow = found < SLOW_ROWS_ALL ? found : SLOW_ROWS_ALL;
	memcpy(a->slow, all, a->n_slow * sizeof(all[0]));
}

/* ---- Slots ---- */

static enum status_activity
activity_of(const struct slot *slot)
{
	switch ((enum slot_state)slot->state) {
	case SLOT_FREE:
	case SLOT_BOOTING:
	case SLOT_READY:
		return STATUS_BOOTING;
	case SLOT_SERVING:
		return slot->pending > 0 ? STATUS_BUSY : STATUS_IDLE;
	case SLOT_DRAINING:
		return STATUS_DRAINING;
	}
	return STATUS_BOOTING;
}

static struct status_worker
read_worker(const struct slot *slot, size_t app, uint64_t now)
{
	uint64_t since = slot->busy_since;
	struct status_worker w = {
		.app = app,
		.pid = slot->pid,
		.activity = activity_of(slot),
		.generation = slot->generation,
		.busy_ms = since != 0 && since < now ? now - since : 0,
		.requests = slot->requests,
		.connections = slot->connections,
		.idle = slot->idle,
		.in_flight = slot->pending + slot->detached,
		.resident = slot->resident,
		.proportional = slot->proportional,
	};

	memcpy(w.request, slot->request, sizeof(w.request));
	w.request[sizeof(w.request) - 1] = '\0';
	memcpy(w.request_id, slot->request_id, sizeof(w.request_id));
	w.request_id[sizeof(w.request_id) - 1] = '\0';
	return w;
}

static void
count_worker(struct status_app *a, const struct slot *slot, struct status_worker *w)
{
	a->workers[w->activity]++;
	a->connections += w->connections;
	a->idle += w->idle;
	a->in_flight += w->in_flight;
	tally_add(&a->tally, &slot->tally);
	merge_slow(a, slot->slow.rows, SLOW_ROWS);
}

/* By application, then in the order of their birth, mostly. */
static int
compare_workers(const void *a, const void *b)
{
	const struct status_worker *x = a, *y = b;

	if (x->app != y->app)
		return x->app < y->app ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static void
sort_workers(struct status *s)
{
	qsort(s->workers, s->n_workers, sizeof(*s->workers), compare_workers);
	for (size_t i = s->n_workers; i-- > 0;) {
		struct status_app *a = &s->apps[s->workers[i].app];
		a->first_worker = i;
		a->n_workers++;
	}
}

/* ---- All together ---- */

static void
read_server(struct status *s, const struct board *b)
{
	s->pid = b->pid;
	s->state = (enum board_state)b->state;
	s->generation = b->generation;
	s->reloads = b->reloads;
	s->failed_reloads = b->failed_reloads;
	s->started = b->started;
	s->is_ready = status_is_ready(b);
	memcpy(s->program, b->program, sizeof(s->program));
	memcpy(s->failure, b->failure, sizeof(s->failure));
}

/* `places` is where the rows of the board went, by their number; 0: nowhere. */
static void
read_apps(struct status *s, const struct board *b, size_t n, size_t *places)
{
	s->n_apps = 0;
	for (size_t i = 0; i < n; i++) {
		places[i + 1] = 0;
		if (!b->apps[i].present)
			continue;
		struct status_app *a = &s->apps[s->n_apps++];
		read_app(a, &b->apps[i]);
		merge_slow(a, b->apps[i].slow, SLOW_ROWS_ALL);
		places[i + 1] = s->n_apps;
	}
}

static void
read_workers(struct status *s, const struct slots *slots, size_t n_slots,
	const size_t *places, size_t n)
{
	s->n_workers = 0;
	for (size_t i = 0; i < n_slots; i++) {
		const struct slot *slot = &slots->rows[i];
		size_t row = slot->app;
		if (slot->state == SLOT_FREE || row > n || places[row] == 0)
			continue;
		struct status_worker *w = &s->workers[s->n_workers++];
		*w = read_worker(slot, places[row] - 1, s->taken);
		count_worker(&s->apps[w->app], slot, w);
	}
}

static int64_t
wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
status_take(struct status *s, const struct board *board, const struct slots *slots)
{
	size_t n = board->n_apps, n_slots = *slots->used,
	       places[BOARD_APPS + 1] = { 0 };
	uint32_t version;

	*s = (struct status){ .taken = clock_ms(), .at_ms = wall_ms() };
	s->apps = calloc(n + 1, sizeof(*s->apps));
	s->workers = calloc(n_slots + 1, sizeof(*s->workers));
	if (s->apps == NULL || s->workers == NULL) {
		status_release(s);
		return -1;
	}
	for (int i = 0; i < ATTEMPTS; i++) {
		version = board_read_begin(board);
		read_server(s, board);
		read_apps(s, board, n, places);
		read_workers(s, slots, n_slots, places, n);
		if (board_read_end(board, version))
			break;
	}
	sort_workers(s);
	return 0;
}

void
status_release(struct status *s)
{
	free(s->apps);
	free(s->workers);
	*s = (struct status){ 0 };
}

/* ---- What is asked of it ---- */

static bool
is_served(const struct board_app *a)
{
	const struct board_processes *workers = &a->processes[BOARD_WORKERS];
	const struct board_processes *programs = &a->processes[BOARD_PROGRAMS];

	return !a->present || workers->wanted == 0 ||
		(workers->serving > 0 &&
			(programs->wanted == 0 || programs->serving > 0));
}

bool
status_is_ready(const struct board *board)
{
	if (board->state != BOARD_SERVING)
		return false;
	for (size_t i = 0; i < board->n_apps; i++)
		if (!is_served(&board->apps[i]))
			return false;
	return true;
}

const struct status_app *
status_find(const struct status *s, const char *name)
{
	for (size_t i = 0; i < s->n_apps; i++)
		if (strcmp(s->apps[i].name, name) == 0)
			return &s->apps[i];
	return NULL;
}

void
status_recent(struct status_recent *r, const struct status *now, size_t app,
	const struct status *before)
{
	const struct status_app *a = &now->apps[app];
	const struct status_app *then =
		before != NULL ? status_find(before, a->name) : NULL;
	struct tally difference = { 0 };

	*r = (struct status_recent){ 0 };
	if (then == NULL || now->taken <= before->taken)
		return;
	tally_add(&difference, &a->tally);
	tally_subtract(&difference, &then->tally);
	r->seconds = (double)(now->taken - before->taken) / 1e3;
	r->requests = (double)tally_responses(&difference) / r->seconds;
	r->errors = (double)difference.responses[TALLY_5XX] / r->seconds;
	for (size_t i = 0; i < 4; i++)
		r->quantiles[i] = histogram_quantile(
			&difference.application, status_quantiles[i]);
}

uint64_t
status_restarts(const struct status_app *app)
{
	uint64_t n = 0;

	for (size_t i = 0; i < RESTARTS; i++)
		n += app->restarts[i];
	return n;
}

uint64_t
status_memory(const struct status_app *app, bool proportional)
{
	uint64_t n = 0;

	for (size_t i = 0; i < BOARD_KINDS; i++)
		n += proportional ? app->processes[i].proportional
				  : app->processes[i].resident;
	return n;
}
