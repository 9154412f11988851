#include "gateway/arbiter/keep.h"

#include <stdlib.h>
#include <unistd.h>

#include "gateway/logger/log.h"

enum { FEW = 8 }; /* beside listeners, its own queue and those of neighbours */

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void
keep_descriptors(int *kept, size_t n)
{
	unsigned next = STDERR_FILENO + 1;

	qsort(kept, n, sizeof(*kept), compare_ints);
	for (size_t i = 0; i < n; i++) {
		if (kept[i] < (int)next)
			continue;
		if (kept[i] > (int)next)
			close_range(next, (unsigned)kept[i] - 1, 0);
		next = (unsigned)kept[i] + 1;
	}
	close_range(next, ~0U, 0);
}

/* Whether the site of a front leads to the application. */
static bool
leads(const struct app_settings *front, const struct app_settings *app)
{
	const struct site *site = front->site;

	for (size_t i = 0; site != NULL && i < site->n_routes; i++)
		if (site->routes[i].to == app)
			return true;
	return false;
}

/* A front gives connections to the applications of its site, and these give them back.
 */
static bool
may_send(const struct app_settings *from, const struct app_settings *to)
{
	return leads(from, to) || leads(to, from);
}

/* Who receives from a queue may send to it too, as its workers give each other work;
 * the notes are a front's alone. */
static size_t
keep_queue(int *kept, const struct heritage *h)
{
	size_t n = 0;

	if (h->queue == NULL)
		return 0;
	kept[n++] = h->queue->fds[QUEUE_IN];
	kept[n++] = h->queue->fds[QUEUE_OUT];
	if (h->app->site != NULL)
		kept[n++] = h->queue->fds[QUEUE_NOTES];
	return n;
}

static size_t
keep_neighbours(int *kept, const struct heritage *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->neighbours->n; i++) {
		const struct neighbour *to = &h->neighbours->all[i];
		if (to->queue != NULL && may_send(h->app, to->app))
			kept[n++] = to->queue->fds[QUEUE_IN];
	}
	return n;
}

void
keep_own_descriptors(const struct heritage *h, int socket)
{
	size_t n = 0, most = FEW + h->n_listeners + QUEUE_FDS + h->neighbours->n;
	int *kept = calloc(most, sizeof(*kept));

	if (kept == NULL)
		exit(EXIT_BOOT);
	kept[n++] = log_fd();
	kept[n++] = h->log.bell;
	kept[n++] = h->channel;
	kept[n++] = socket;
	for (size_t i = 0; i < h->n_listeners; i++)
		kept[n++] = h->listeners[i]->fd;
	n += keep_queue(kept + n, h);
	n += keep_neighbours(kept + n, h);
	keep_descriptors(kept, n);
	free(kept);
}
