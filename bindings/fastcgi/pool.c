#include "bindings/fastcgi/pool.h"

#include <string.h>

#include "bindings/common/option.h"
#include "bindings/fastcgi/exchange.h"

/* ---- Life ---- */

static void
load_limits(struct pool *p, bool managed)
{
	p->max_links = option_number("fcgi_connections");
	p->max_waiting = option_number("fcgi_queue");
	/* Programs share one socket, and an idle link would hold one of them that
	 * others wait for, or that is told to stop. */
	p->managed = managed;
	p->max_idle = managed ? 0 : option_number("fcgi_keepalive");
	p->queue_ms = option_milliseconds("fcgi_queue_timeout");
	p->connect_ms = option_milliseconds("fcgi_connect_timeout");
	p->send_ms = option_milliseconds("fcgi_send_timeout");
	p->read_ms = option_milliseconds("fcgi_read_timeout");
	p->fail_ms = option_milliseconds("fcgi_fail_timeout");
	p->resolve_ms = option_milliseconds("fcgi_resolve");
}

static const char *
load_backend(struct pool *p, struct slice text, struct arena *memory)
{
	const char *name = arena_strz(memory, text);

	if (name == NULL)
		return "out of memory";
	return backend_load(&p->backends[p->n++], p, name);
}

const char *
pool_load(struct pool *p, const char *text, bool managed, struct arena *memory)
{
	const char *error = NULL;
	size_t n = 1;

	TAILQ_INIT(&p->waiting);
	load_limits(p, managed);
	for (const char *c = text; *c != '\0' && !managed; c++)
		n += *c == ',';
	if (n > BACKENDS_MAX)
		return "more than 64 backends";
	p->backends = arena_alloc(memory, n * sizeof(*p->backends));
	if (p->backends == NULL)
		return "out of memory";
	while (error == NULL && p->n < n) {
		size_t len = managed ? strlen(text) : strcspn(text, ",");
		error = load_backend(p, slice_of(text, len), memory);
		text += len + 1;
	}
	return error;
}

const char *
pool_start(struct pool *p)
{
	const char *error = NULL;

	for (size_t i = 0; i < p->n && error == NULL; i++)
		error = backend_start(&p->backends[i]);
	return error;
}

void
pool_release(struct pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		backend_release(&p->backends[i]);
}

uint64_t
pool_bit(const struct pool *p, const struct backend *b)
{
	return (uint64_t)1 << (b - p->backends);
}

/* ---- Choosing ---- */

struct search {
	uint64_t avoid;
	uint64_t now;
	bool failed; /* among those that have failed lately, or among the others */
	bool full; /* some could be chosen, but all their links are busy */
};

static bool
is_eligible(const struct pool *p, const struct backend *b, const struct search *s)
{
	return (s->avoid & pool_bit(p, b)) == 0 && b->places.n != 0 &&
		(b->failed_until > s->now) == s->failed;
}

static struct backend *
least_busy(struct pool *p, struct search *s)
{
	struct backend *best = NULL;

	for (size_t i = 0; i < p->n; i++) {
		struct backend *b = &p->backends[(p->next + i) % p->n];
		if (!is_eligible(p, b, s))
			continue;
		if (b->n_busy >= p->max_links)
			s->full = true;
		else if (best == NULL || b->n_busy < best->n_busy)
			best = b;
	}
	return best;
}

/* Those that failed are for when there are no others, busy or not. */
static struct backend *
choose(struct pool *p, struct search *s)
{
	struct backend *b = least_busy(p, s);

	if (b != NULL || s->full)
		return b;
	s->failed = true;
	return least_busy(p, s);
}

/* A request that must not be done twice gets a new link, as an idle one may be closed
 * while the request is on its way, and nobody knows what became of it. An idle one
 * makes room for it, and with that a process of the backend. */
static struct link *
take_link(struct backend *b, struct exchange *x)
{
	struct link *l = x->fresh ? NULL : link_reuse(b, x);

	if (l != NULL)
		return l;
	link_close_oldest(b);
	return link_new(b, x);
}

enum pool_answer
pool_take(struct pool *p, struct exchange *x, uint64_t avoid)
{
	struct search search = { .avoid = avoid, .now = link_clock_ms() };

	if (!TAILQ_EMPTY(&p->waiting) && TAILQ_FIRST(&p->waiting) != x && !x->served)
		return POOL_WAIT;
	struct backend *b = choose(p, &search);
	if (b == NULL)
		return search.full ? POOL_WAIT : POOL_NONE;
	x->link = take_link(b, x);
	if (x->link == NULL)
		return POOL_NONE;
	/* The only one that tries it, until it succeeds. */
	if (b->failed_until != 0)
		backend_failed(b);
	p->next = (size_t)(b - p->backends) + 1;
	x->served = true;
	pool_dequeue(p, x);
	return POOL_TAKEN;
}

/* ---- Waiting ---- */

bool
pool_enqueue(struct pool *p, struct exchange *x)
{
	if (p->n_waiting >= p->max_waiting)
		return false;
	if (x->served)
		TAILQ_INSERT_HEAD(&p->waiting, x, in_queue);
	else
		TAILQ_INSERT_TAIL(&p->waiting, x, in_queue);
	x->queued = true;
	p->n_waiting++;
	return true;
}

void
pool_dequeue(struct pool *p, struct exchange *x)
{
	if (!x->queued)
		return;
	TAILQ_REMOVE(&p->waiting, x, in_queue);
	x->queued = false;
	p->n_waiting--;
}

void
pool_serve(struct pool *p)
{
	struct exchange *first;

	if (p->serving)
		return;
	p->serving = true;
	while ((first = TAILQ_FIRST(&p->waiting)) != NULL) {
		exchange_run(first);
		if (TAILQ_FIRST(&p->waiting) == first)
			break;
	}
	p->serving = false;
}
