/* The part of the board that is measured when somebody looks. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/arbiter/board_keep.h"
#include "gateway/arbiter/inside.h"
#include "gateway/arbiter/memory.h"
#include "gateway/common/clock.h"

enum {
	AGAIN_MS = 200, /* not measured more often */
	MEMORY_MS = 5000, /* nor the shared memory of one process */
	BUDGET_MS = 10, /* for this, in one round of the arbiter */
};

/* ---- Memory ---- */

/* The proportional set size in bytes; 0: it cannot be told. The kernel walks through
 * all pages of the process for it. */
static uint64_t
proportional(pid_t pid)
{
	char path[64], line[128];
	unsigned long long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Pss: %llu kB", &kib) == 1)
			break;
	fclose(f);
	return (uint64_t)kib * 1024;
}

static void
measure_child(struct child *child, uint64_t begin)
{
	bool is_due = child->weighed == 0 || begin - child->weighed >= MEMORY_MS;

	child->resident = memory_resident(child->pid);
	if (is_due && clock_ms() - begin < BUDGET_MS) {
		child->proportional = proportional(child->pid);
		child->weighed = begin;
	}
	if (child->slot == NULL)
		return;
	child->slot->resident = child->resident;
	child->slot->proportional = child->proportional;
}

static void
add_up(struct board_app *row, enum board_kind kind, const struct child *child)
{
	struct board_processes *p = &row->processes[kind];

	p->resident += child->resident;
	p->proportional += child->proportional;
}

static void
measure_memory(struct family *f, uint64_t now)
{
	struct board *b = f->board.own;
	struct child *child;

	TAILQ_FOREACH (child, &f->children, next)
		if (!child->unborn)
			measure_child(child, now);
	board_write_begin(b);
	for (size_t i = 0; i < b->n_apps; i++)
		for (size_t k = 0; k < BOARD_KINDS; k++)
			b->apps[i].processes[k].resident =
				b->apps[i].processes[k].proportional = 0;
	TAILQ_FOREACH (child, &f->children, next) {
		struct board_app *row = board_keep_row(b, child->pool);
		if (row != NULL)
			add_up(row, board_keep_kind(child->pool), child);
	}
	board_write_end(b);
}

/* ---- Backlogs ---- */

int64_t
board_keep_backlog(const struct pool *pool)
{
	int64_t sum = -1;

	for (size_t i = 0; i < pool->heritage.n_listeners; i++) {
		const struct listener *l = pool->heritage.listeners[i];
		struct tcp_info info;
		socklen_t len = sizeof(info);
		if (l->address.kind == ADDRESS_UNIX ||
			getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
			continue;
		/* Of a listening socket this is how many wait to be accepted. */
		sum = (sum < 0 ? 0 : sum) + info.tcpi_unacked;
	}
	return sum;
}

static void
measure_backlogs(struct board *b, const struct generation *g)
{
	for (size_t i = 0; i < g->n_pools; i++) {
		const struct pool *pool = &g->pools[i];
		struct board_app *row = board_keep_row(b, pool);
		if (row != NULL && board_keep_kind(pool) == BOARD_WORKERS)
			row->backlog = board_keep_backlog(pool);
	}
}

void
board_keep_measure(struct arbiter *a, uint64_t now)
{
	struct family *f = &a->family;

	if (f->measured != 0 && now - f->measured < AGAIN_MS)
		return;
	measure_memory(f, now);
	measure_backlogs(f->board.own, a->reload.current);
	f->measured = now;
}
