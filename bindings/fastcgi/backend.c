#include "bindings/fastcgi/backend.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "bindings/fastcgi/pool.h"

/* A process that is free accepts and answers sooner than this. */
enum { AWAITED_MS = 20 };

/* ---- Its name ---- */

static void
look_up_later(struct backend *b)
{
	al_timer_reset(b->timer, b->pool->resolve_ms);
}

/* Connections to places that the name does not stand for any more end. */
static void
close_left(struct backend *b)
{
	struct link *l, *next;

	for (l = TAILQ_FIRST(&b->idle); l != NULL; l = next) {
		next = TAILQ_NEXT(l, in_list);
		if (!places_have(&b->places, &l->place))
			link_close_idle(l);
	}
}

/* While no name server answers the old places stay. */
static void
on_looked_up(void *arg, int error, struct places *found)
{
	struct backend *b = arg;

	b->lookup = NULL;
	look_up_later(b);
	if (error != 0) {
		al_log(NULL, AL_WARNING, "%s: cannot look up its name: %s", b->name,
			gai_strerror(error));
		return;
	}
	places_release(&b->places);
	b->places = *found;
	*found = (struct places){ 0 };
	b->place = 0;
	close_left(b);
	pool_serve(b->pool);
}

static void
look_up(void *arg)
{
	struct backend *b = arg;

	b->lookup = lookup_start(&b->host, on_looked_up, b);
	if (b->lookup != NULL)
		return;
	al_log(NULL, AL_WARNING, "%s: cannot look up its name: %s", b->name,
		strerror(errno));
	look_up_later(b);
}

/* A name that does not exist is a mistake that shall be seen at once; servers that do
 * not answer are no reason not to begin. */
static const char *
look_up_first(struct backend *b)
{
	int error = places_look_up(&b->places, &b->host);

	if (error != EAI_AGAIN)
		return error == 0 ? NULL : gai_strerror(error);
	al_log(NULL, AL_WARNING, "%s: cannot look up its name: %s", b->name,
		gai_strerror(error));
	return NULL;
}

/* ---- Life ---- */

const char *
backend_load(struct backend *b, struct pool *p, const char *name)
{
	*b = (struct backend){ .pool = p, .name = name };
	TAILQ_INIT(&b->idle);
	TAILQ_INIT(&b->unanswered);
	const char *error = places_parse(&b->places, &b->host, name);
	if (error == NULL && b->host.name[0] != '\0')
		error = look_up_first(b);
	return error;
}

const char *
backend_start(struct backend *b)
{
	if (b->host.name[0] == '\0')
		return NULL;
	b->timer = al_timer_new(b->places.n != 0 ? b->pool->resolve_ms : 0, look_up, b);
	return b->timer != NULL ? NULL : "out of memory";
}

void
backend_release(struct backend *b)
{
	while (b->n_idle > 0)
		link_close_oldest(b);
	if (b->lookup != NULL)
		lookup_cancel(b->lookup);
	if (b->timer != NULL)
		al_timer_free(b->timer);
	places_release(&b->places);
}

/* ---- How it fares ---- */

void
backend_failed(struct backend *b)
{
	b->failed_until = link_clock_ms() + b->pool->fail_ms;
}

void
backend_works(struct backend *b)
{
	if (b->failed_until != 0)
		al_log(NULL, AL_INFO, "%s: takes connections again", b->name);
	b->failed_until = 0;
}

bool
backend_is_awaited(const struct backend *b)
{
	const struct link *oldest = TAILQ_FIRST(&b->unanswered);

	return oldest != NULL && link_clock_ms() - oldest->began >= AWAITED_MS;
}
