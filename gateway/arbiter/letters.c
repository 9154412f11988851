#include "gateway/arbiter/letters.h"

#include <string.h>

#include "gateway/arbiter/pool.h"
#include "gateway/common/clock.h"
#include "gateway/logger/log.h"

enum { TOLD_EVERY_MS = 1000 };

/* Who serves the same application, in whatever generation. */
static bool
is_reader(const struct child *child, const struct child *from)
{
	return child != from && child->pool->kind == &kind_worker &&
		child->state == CHILD_SERVING &&
		strcmp(child->pool->app->name, from->pool->app->name) == 0;
}

/* A worker that does not read loses letters, not its channel. */
static void
lose(struct child *child)
{
	uint64_t now = clock_ms();

	child->lost++;
	if (now < child->lost_told + TOLD_EVERY_MS)
		return;
	log_warning("%s does not read what others send: %u messages are lost",
		child_text(child), child->lost);
	child->lost = 0;
	child->lost_told = now;
}

static void
pass_on(struct family *f, const struct child *from, struct letter letter,
	struct slice data, int fd)
{
	char text[sizeof(letter) + LETTER_DATA_MAX];
	struct slice payload = slice_of(text, sizeof(letter) + data.len);
	struct child *child;

	memcpy(text, &letter, sizeof(letter));
	memcpy(text + sizeof(letter), data.ptr, data.len);
	TAILQ_FOREACH (child, &f->children, next) {
		if (!is_reader(child, from))
			continue;
		if (channel_has_room(&child->channel, payload.len))
			child_tell(f, child, MESSAGE_DELIVER, payload, fd);
		else
			lose(child);
	}
}

static void
tell_hook(struct family *f, const struct child *from, struct letter letter,
	struct slice data, int fd)
{
	struct al_facts facts = facts_of_child(from);

	facts.type = letter.type;
	facts.data = data.ptr;
	facts.length = data.len;
	facts.fd = fd;
	hooks_run(&f->hooks, from->pool->heritage.server, SERVER_on_message, &facts);
}

void
letters_heard(struct family *f, struct child *from, const struct imsg *m)
{
	struct slice data = m->payload;
	struct letter letter;

	if (data.len < sizeof(letter) || data.len > sizeof(letter) + LETTER_DATA_MAX) {
		log_warning("%s sent what is no message", child_text(from));
		return;
	}
	memcpy(&letter, data.ptr, sizeof(letter));
	slice_advance(&data, sizeof(letter));
	letter.from = from->pid; /* whatever it says itself */
	if (letter.to == LETTER_TO_POOL)
		pass_on(f, from, letter, data, m->fd);
	else if (letter.to == LETTER_TO_ARBITER)
		tell_hook(f, from, letter, data, m->fd);
	else
		log_warning("%s sent a message to nobody", child_text(from));
}
