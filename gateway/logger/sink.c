#include "gateway/logger/sink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/resolver.h"

enum {
	RETRY_MS = 20,
	RETRY_FAILED_MS = 250,
	ENDING_MS = 2000, /* for a socket that nobody uses any more, and that fails */
};

static LIST_HEAD(, sink) all = LIST_HEAD_INITIALIZER(all);
static struct sink *by_id[SINK_IDS];

struct sink *
sink_find(uint32_t id)
{
	return id < SINK_IDS ? by_id[id] : NULL;
}

const char *
sink_name(const struct sink *s)
{
	static const char *const kinds[] = {
		[SINK_FILE] = "log",
		[SINK_STDOUT] = "standard output",
		[SINK_STDERR] = "standard error",
		[SINK_SYSLOG] = "syslog",
		[SINK_JOURNAL] = "journal",
	};
	static char name[SINK_TEXT_MAX + 32];

	snprintf(name, sizeof(name), "%s%s%s", kinds[s->facts.kind],
		s->facts.to[0] != '\0' ? " " : "", s->facts.to);
	return name;
}

/* ---- What the arbiter tells ---- */

static const struct sink_class *
class_of(enum sink_kind kind)
{
	static const struct sink_class *const classes[] = {
		[SINK_FILE] = &sink_class_stream,
		[SINK_STDOUT] = &sink_class_stream,
		[SINK_STDERR] = &sink_class_stream,
		[SINK_SYSLOG] = &sink_class_syslog,
		[SINK_JOURNAL] = &sink_class_journal,
	};

	return classes[kind];
}

static struct sink *
make(int memory)
{
	struct sink *s = calloc(1, sizeof(*s));

	if (s == NULL || stock_map(&s->stock, memory) == -1) {
		log_error("log: %s", strerror(errno));
		free(s);
		return NULL;
	}
	return s;
}

/* What is told of one that is there already is whether processes wait for it. */
void
sink_add(const struct sink_facts *facts, int memory)
{
	struct sink *known = sink_find(facts->id);
	struct sink *s = known == NULL ? make(memory) : NULL;

	if (memory != -1)
		close(memory);
	if (known != NULL)
		known->facts = *facts;
	if (s == NULL)
		return;
	s->file.fd = s->next.fd = -1;
	by_id[facts->id] = s;
	LIST_INSERT_HEAD(&all, s, list);
	s->facts = *facts;
	s->class = class_of(facts->kind);
	if (facts->kind == SINK_SYSLOG || facts->kind == SINK_JOURNAL)
		sink_socket_init(s);
}

static void
change_file(struct sink *s)
{
	struct stat st;

	if (s->file.fd != -1)
		close(s->file.fd);
	s->file = s->next;
	s->next.fd = -1;
	s->stock.state->file = s->file.number;
	bool is_regular = fstat(s->file.fd, &st) == 0 && S_ISREG(st.st_mode);
	s->class = is_regular ? &sink_class_file : &sink_class_stream;
	s->is_new = true;
	s->is_checked = false;
	s->retry_at = 0;
	s->lock_refused = 0;
}

/* After a restart the files come in the order of their numbers; the one that a write
 * was begun to is in use first. */
void
sink_use(uint32_t id, uint32_t number, int fd)
{
	struct sink *s = sink_find(id);

	if (s == NULL || (s->file.fd != -1 && number <= s->file.number) ||
		number < s->stock.state->file) {
		close(fd);
		return;
	}
	if (s->next.fd != -1)
		close(s->next.fd);
	s->next = (struct sink_file){ fd, number };
	if (s->file.fd == -1)
		change_file(s);
}

void
sink_end(uint32_t id)
{
	struct sink *s = sink_find(id);

	if (s == NULL)
		return;
	s->is_ending = true;
	s->give_up_at = clock_ms() + ENDING_MS;
}

static void
release(struct sink *s)
{
	LIST_REMOVE(s, list);
	by_id[s->facts.id] = NULL;
	stock_unmap(&s->stock);
	if (s->file.fd != -1)
		close(s->file.fd);
	if (s->next.fd != -1)
		close(s->next.fd);
	resolver_end(s->resolver);
	free(s);
}

/* ---- Lines ---- */

int
sink_offer(struct sink *s, const struct sink_line *line, uint64_t *in)
{
	size_t room;
	char *out = stock_room(&s->stock, &room);

	if (room < SINK_ENTRY_MAX)
		return -1;
	*in = s->stock.state->in + s->class->make(s, out, SINK_ENTRY_MAX, line);
	return 0;
}

bool
sink_has_room(const struct sink *s)
{
	size_t room;

	stock_room(&s->stock, &room);
	return room > STOCK_BYTES / 2;
}

/* What waits for room, as on a pipe that nobody reads, is nothing to speak of. */
static void
note_result(struct sink *s, const char *why, uint64_t now)
{
	bool is_full = why != NULL && errno == EAGAIN;

	s->retry_at = why == NULL ? 0 : now + (is_full ? RETRY_MS : RETRY_FAILED_MS);
	if (is_full || (why != NULL) == s->is_failing)
		return;
	s->is_failing = why != NULL;
	if (why != NULL)
		log_error("%s: %s", sink_name(s), why);
	else
		log_warning("%s takes lines again", sink_name(s));
}

static bool
has_work(const struct sink *s)
{
	return stock_all(&s->stock).len > 0;
}

static void
let_write(struct sink *s, uint64_t now)
{
	if (stock_all(&s->stock).len > 0 && now >= s->retry_at)
		note_result(s, s->class->write(s), now);
}

/* What it has is for the file before, as far as that takes it. */
static void
let_change(struct sink *s, uint64_t now)
{
	let_write(s, now);
	if (s->class == &sink_class_file)
		sink_file_leave(s);
	change_file(s);
}

bool
sinks_are_to_change(void)
{
	struct sink *s;

	LIST_FOREACH (s, &all, list) {
		if (s->next.fd != -1)
			return true;
	}
	return false;
}

void
sinks_change(uint64_t now, void (*changed)(uint32_t id, uint32_t number))
{
	struct sink *s;

	LIST_FOREACH (s, &all, list) {
		if (s->next.fd != -1)
			let_change(s, now);
		if (s->is_new)
			changed(s->facts.id, s->file.number);
		s->is_new = false;
	}
}

static bool
is_socket(const struct sink *s)
{
	return s->class == &sink_class_syslog || s->class == &sink_class_journal;
}

static bool
is_over(const struct sink *s, uint64_t now)
{
	bool is_hopeless = is_socket(s) && s->is_failing && now >= s->give_up_at;

	if (s->is_ending && has_work(s) && is_hopeless)
		log_warning("%s: what it did not take is dropped", sink_name(s));
	return s->is_ending && (!has_work(s) || is_hopeless);
}

int
sinks_write(uint64_t now, void (*ended)(uint32_t id))
{
	uint64_t soonest = UINT64_MAX;
	struct sink *s = LIST_FIRST(&all), *next;

	for (; s != NULL; s = next) {
		next = LIST_NEXT(s, list);
		let_write(s, now);
		if (s->retry_at != 0 && s->retry_at < soonest)
			soonest = s->retry_at;
		if (is_over(s, now)) {
			ended(s->facts.id);
			release(s);
		}
	}
	if (soonest == UINT64_MAX)
		return -1;
	return soonest > now ? (int)(soonest - now) : 0;
}

bool
sinks_are_done(void)
{
	struct sink *s;

	LIST_FOREACH (s, &all, list) {
		if (has_work(s) && !is_socket(s))
			return false;
	}
	return true;
}

bool
sinks_are_empty(void)
{
	struct sink *s;

	LIST_FOREACH (s, &all, list) {
		if (has_work(s))
			return false;
	}
	return true;
}
