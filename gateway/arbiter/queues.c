#include "gateway/arbiter/queues.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "protocols/buffer.h"

/* Lines of IN,OUT,STATE,NOTES=NAME. */
#define QUEUES_VARIABLE "ALICORN_QUEUES"

struct kept_queue {
	struct queue queue; /* first: see queues_close */
	char *name;
	unsigned users;
	LIST_ENTRY(kept_queue) next;
};

static LIST_HEAD(, kept_queue) all = LIST_HEAD_INITIALIZER(all);
static uint32_t last_id;

/* For a queue that is open; NULL: memory is out. */
static struct kept_queue *
keep(const struct queue *queue, const char *name, size_t len)
{
	struct kept_queue *kept = calloc(1, sizeof(*kept));
	char *copy = strndup(name, len);

	if (kept == NULL || copy == NULL) {
		free(kept);
		free(copy);
		return NULL;
	}
	kept->queue = *queue;
	kept->queue.id = ++last_id;
	kept->name = copy;
	LIST_INSERT_HEAD(&all, kept, next);
	return kept;
}

static void
drop(struct kept_queue *kept)
{
	LIST_REMOVE(kept, next);
	queue_release(&kept->queue);
	free(kept->name);
	free(kept);
}

/* ---- From the arbiter before, and to the one after this one ---- */

static void
take(const char *line, size_t len)
{
	int fds[QUEUE_FDS], name = 0;
	struct queue queue;

	if (sscanf(line, "%d,%d,%d,%d=%n", &fds[QUEUE_IN], &fds[QUEUE_OUT],
		    &fds[QUEUE_STATE], &fds[QUEUE_NOTES], &name) != QUEUE_FDS ||
		name == 0 || (size_t)name >= len)
		return;
	for (size_t i = 0; i < QUEUE_FDS; i++)
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	if (queue_init_from(&queue, fds) == 0 &&
		keep(&queue, line + name, len - (size_t)name) == NULL)
		queue_release(&queue);
}

void
queues_init(void)
{
	const char *line = getenv(QUEUES_VARIABLE);

	while (line != NULL && *line != '\0') {
		const char *end = strchrnul(line, '\n');
		take(line, (size_t)(end - line));
		line = *end != '\0' ? end + 1 : end;
	}
	unsetenv(QUEUES_VARIABLE);
}

void
queues_settle(void)
{
	struct kept_queue *kept = LIST_FIRST(&all), *next;

	for (; kept != NULL; kept = next) {
		next = LIST_NEXT(kept, next);
		if (kept->users == 0)
			drop(kept);
	}
}

void
queues_pass_on(void)
{
	const struct kept_queue *kept;
	struct buffer lines = { 0 };

	LIST_FOREACH (kept, &all, next) {
		const int *fds = kept->queue.fds;
		for (size_t i = 0; i < QUEUE_FDS; i++)
			fcntl(fds[i], F_SETFD, 0);
		buffer_addf(&lines, "%d,%d,%d,%d=%s\n", fds[QUEUE_IN], fds[QUEUE_OUT],
			fds[QUEUE_STATE], fds[QUEUE_NOTES], kept->name);
	}
	buffer_add(&lines, "", 1);
	if (!lines.failed)
		setenv(QUEUES_VARIABLE, lines.ptr, 1);
	buffer_release(&lines);
}

/* ---- Of applications ---- */

static struct kept_queue *
find(const char *name)
{
	struct kept_queue *kept;

	LIST_FOREACH (kept, &all, next) {
		if (strcmp(kept->name, name) == 0)
			return kept;
	}
	return NULL;
}

static struct kept_queue *
make(const char *name)
{
	struct queue queue;

	if (queue_init(&queue) != 0)
		return NULL;
	struct kept_queue *kept = keep(&queue, name, strlen(name));
	if (kept == NULL) {
		queue_release(&queue);
		errno = ENOMEM;
	}
	return kept;
}

const struct queue *
queues_open(const char *name)
{
	struct kept_queue *kept = find(name);

	if (kept == NULL)
		kept = make(name);
	if (kept == NULL)
		return NULL;
	kept->users++;
	return &kept->queue;
}

void
queues_close(const struct queue *queue)
{
	struct kept_queue *kept = (struct kept_queue *)(uintptr_t)queue;

	if (kept != NULL && --kept->users == 0)
		drop(kept);
}
