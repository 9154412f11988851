#include "gateway/arbiter/keep.h"

#include <stdlib.h>
#include <unistd.h>

#include "gateway/logger/log.h"

enum { FEW = 4 }; /* beside listeners, its own queue and those of neighbours */

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes every descriptor above 2 that is not one of these. */
static void
close_others(int *kept, size_t n)
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
	return n;
}

void
keep_own_descriptors(const struct heritage *h, int socket)
{
	size_t n = 0, most = FEW + h->n_listeners + QUEUE_FDS;
	int *kept = calloc(most, sizeof(*kept));

	if (kept == NULL)
		exit(EXIT_BOOT);
	kept[n++] = log_fd();
	kept[n++] = h->channel;
	kept[n++] = socket;
	for (size_t i = 0; i < h->n_listeners; i++)
		kept[n++] = h->listeners[i]->fd;
	n += keep_queue(kept + n, h);
	close_others(kept, n);
	free(kept);
}
