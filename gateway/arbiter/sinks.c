#include "gateway/arbiter/sinks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct kept_sink {
	struct sink_facts facts;
	unsigned users; /* tables; 0: it ends when all is written */
	int memory; /* of its stock */
	struct sink_file file, next; /* in use; and told to the logger in its place */
	bool reopen_again; /* once it uses that */
	bool told, file_told, next_told, end_told;
	LIST_ENTRY(kept_sink) list;
};

static LIST_HEAD(, kept_sink) all = LIST_HEAD_INITIALIZER(all);

/* ---- Files ---- */

/* Never waits for anybody: not for the reader of a pipe, either, who may come and go.
 * It is also read, by a logger that goes on after another one. */
static int
open_path(const char *path)
{
	static const int how = O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, O_RDWR | how, 0644);

	return fd == -1 && errno == EACCES ? open(path, O_WRONLY | how, 0644) : fd;
}

/* Others use the same open pipe or terminal and expect that it blocks: ours is opened
 * anew. A file is not, as it has one position for all who write to it. */
static int
open_standard(int number)
{
	char path[32];
	struct stat st;
	int fd = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", number);
	if (fstat(number, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(number)))
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd != -1 ? fd : fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static bool
has_file(const struct sink_facts *facts)
{
	return facts->kind != SINK_SYSLOG && facts->kind != SINK_JOURNAL;
}

static int
open_file(const struct sink_facts *facts)
{
	if (facts->kind == SINK_STDOUT)
		return open_standard(STDOUT_FILENO);
	if (facts->kind == SINK_STDERR)
		return open_standard(STDERR_FILENO);
	return open_path(facts->to);
}

/* ---- To make and to end ---- */

static const char *
object(const struct log_sink *row, const char *to)
{
	static char reason[SINK_TEXT_MAX + 128];

	snprintf(reason, sizeof(reason), "%slog %s: %s",
		row->takes == SINK_ACCESS ? "access " : "", to, strerror(errno));
	return reason;
}

static const char *
describe(struct sink_facts *facts, const struct log_sink *row,
	const struct server_settings *server)
{
	const char *to = row->to != NULL ? row->to : "";

	if (row->kind == SINK_JOURNAL)
		to = server->journal_socket;
	errno = ENAMETOOLONG;
	if (strlen(to) >= sizeof(facts->to))
		return object(row, "with a long name");
	memset(facts, 0, sizeof(*facts)); /* also what lies between its members */
	facts->kind = row->kind;
	facts->waits = has_file(facts) && strcmp(server->log_overflow, "block") == 0;
	snprintf(facts->to, sizeof(facts->to), "%s", to);
	if (has_file(facts))
		return NULL;
	snprintf(
		facts->tag, sizeof(facts->tag), "%s", row->tag != NULL ? row->tag : "");
	snprintf(facts->facility, sizeof(facts->facility), "%s", row->facility);
	facts->rfc5424 = row->rfc5424;
	return NULL;
}

static struct kept_sink *
find_same(const struct sink_facts *facts)
{
	struct sink_facts wanted = *facts;
	struct kept_sink *s;

	LIST_FOREACH (s, &all, list) {
		wanted.id = s->facts.id;
		wanted.waits = s->facts.waits;
		if (s->users > 0 && memcmp(&s->facts, &wanted, sizeof(wanted)) == 0)
			return s;
	}
	return NULL;
}

static struct kept_sink *
find(uint32_t id)
{
	struct kept_sink *s;

	LIST_FOREACH (s, &all, list) {
		if (s->facts.id == id)
			return s;
	}
	return NULL;
}

static uint32_t
free_id(void)
{
	uint32_t id = 0;

	while (id < SINK_IDS && find(id) != NULL)
		id++;
	return id;
}

static void
close_files(struct kept_sink *s)
{
	if (s->memory != -1)
		close(s->memory);
	if (s->file.fd != -1)
		close(s->file.fd);
	if (s->next.fd != -1)
		close(s->next.fd);
}

static const char *
make(const struct sink_facts *facts, const struct log_sink *row,
	struct kept_sink **made)
{
	struct kept_sink *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return strerror(ENOMEM);
	s->facts = *facts;
	s->facts.id = free_id();
	s->next.fd = s->file.fd = -1;
	s->memory = s->facts.id < SINK_IDS ? stock_create() : -1;
	if (s->memory != -1 && has_file(facts))
		s->file = (struct sink_file){ open_file(facts), 1 };
	if (s->memory == -1 || (has_file(facts) && s->file.fd == -1)) {
		if (s->facts.id == SINK_IDS)
			errno = EMFILE;
		const char *reason = object(row, facts->to);
		close_files(s);
		free(s);
		return reason;
	}
	LIST_INSERT_HEAD(&all, s, list);
	*made = s;
	return NULL;
}

static const char *
open_row(const struct server_settings *server, const struct log_sink *row, uint32_t *id)
{
	struct sink_facts facts;
	const char *why = describe(&facts, row, server);
	struct kept_sink *s = why == NULL ? find_same(&facts) : NULL;

	if (why == NULL && s == NULL)
		why = make(&facts, row, &s);
	if (why != NULL)
		return why;
	if (s->facts.waits != facts.waits)
		s->told = false;
	s->facts.waits = facts.waits;
	s->users++;
	*id = s->facts.id;
	return NULL;
}

struct sink_table *
sinks_open(const struct server_settings *server, const char **why)
{
	struct sink_table *table = calloc(1, sizeof(*table));
	uint32_t *ids = calloc(server->n_sinks + 1, sizeof(*ids));

	*why = table == NULL || ids == NULL ? strerror(ENOMEM) : NULL;
	if (table != NULL)
		*table = (struct sink_table){ .ids = ids, .users = 1 };
	while (*why == NULL && table->n < server->n_sinks) {
		*why = open_row(server, &server->sinks[table->n], &ids[table->n]);
		table->n += *why == NULL;
	}
	if (*why == NULL)
		return table;
	if (table != NULL)
		sinks_close(table);
	else
		free(ids);
	return NULL;
}

void
sinks_share(struct sink_table *table)
{
	table->users++;
}

void
sinks_close(struct sink_table *table)
{
	if (table == NULL || --table->users > 0)
		return;
	for (size_t i = 0; i < table->n; i++)
		find(table->ids[i])->users--;
	free(table->ids);
	free(table);
}

/* ---- Other files ---- */

static void
reopen(struct kept_sink *s)
{
	if (s->facts.kind != SINK_FILE)
		return;
	s->reopen_again = s->next.fd != -1;
	if (s->reopen_again)
		return;
	s->next = (struct sink_file){ open_file(&s->facts), s->file.number + 1 };
	s->next_told = false;
	if (s->next.fd == -1)
		log_error("reopen %s: %s", s->facts.to, strerror(errno));
}

void
sinks_reopen(void)
{
	struct kept_sink *s;

	LIST_FOREACH (s, &all, list)
		reopen(s);
}

void
sinks_changed(const struct logger_number *n)
{
	struct kept_sink *s = find(n->id);

	if (s == NULL || s->next.fd == -1 || s->next.number != n->number)
		return;
	close(s->file.fd);
	s->file = s->next;
	s->next.fd = -1;
	if (s->reopen_again)
		reopen(s);
}

void
sinks_ended(const struct logger_number *n)
{
	struct kept_sink *s = find(n->id);

	if (s == NULL || s->users > 0)
		return;
	close_files(s);
	LIST_REMOVE(s, list);
	free(s);
}

/* ---- The logger ---- */

void
sinks_forget_told(void)
{
	struct kept_sink *s;

	LIST_FOREACH (s, &all, list)
		s->told = s->file_told = s->next_told = s->end_told = false;
}

static bool
tell_file(const struct kept_sink *s, const struct sink_file *file, bool *told,
	logger_send_fn *send)
{
	const struct logger_number n = { s->facts.id, file->number };

	if (!*told && file->fd != -1)
		*told = send(LOGGER_FILE, &n, sizeof(n), file->fd);
	return *told || file->fd == -1;
}

static bool
tell_one(struct kept_sink *s, logger_send_fn *send)
{
	const struct logger_number n = { s->facts.id, 0 };

	if (!s->told)
		s->told = send(LOGGER_SINK, &s->facts, sizeof(s->facts), s->memory);
	if (!s->told || !tell_file(s, &s->file, &s->file_told, send) ||
		!tell_file(s, &s->next, &s->next_told, send))
		return false;
	if (s->users == 0 && !s->end_told)
		s->end_told = send(LOGGER_SINK_END, &n, sizeof(n), -1);
	return s->users > 0 || s->end_told;
}

bool
sinks_tell(logger_send_fn *send)
{
	struct kept_sink *s;

	LIST_FOREACH (s, &all, list) {
		if (!tell_one(s, send))
			return false;
	}
	return true;
}

void
sinks_each_fd(void (*fn)(int fd, void *arg), void *arg)
{
	struct kept_sink *s;

	LIST_FOREACH (s, &all, list) {
		fn(s->memory, arg);
		fn(s->file.fd, arg);
		fn(s->next.fd, arg);
	}
}
