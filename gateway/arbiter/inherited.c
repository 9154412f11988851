#include "gateway/arbiter/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/arbiter/bound.h"
#include "gateway/arbiter/socket_file.h"
#include "gateway/logger/log.h"

/* The first descriptor of LISTEN_FDS, as sd_listen_fds(3) has it. */
enum { FIRST = 3, MOST = 4096 };

struct inherited {
	int fd;
	enum inherited_from from;
	const char *name; /* of LISTEN_FDNAMES; "": none */
	struct address address; /* of FROM_ARBITER: what it was opened for */
	bool is_taken;
};

/* Kept to the end of the program. */
static struct inherited *all;
static size_t n_all;
static struct arena memory;

/* What the manager said, to be said again. */
static unsigned n_managed;
static const char *names;

/* ---- What was handed over ---- */

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t size = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 && yes != 0;
}

static struct inherited *
add(int fd, enum inherited_from from, const char *name)
{
	struct inherited *more = reallocarray(all, n_all + 1, sizeof(*all));

	if (more == NULL)
		return NULL;
	all = more;
	all[n_all] = (struct inherited){ .fd = fd, .from = from, .name = name };
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return &all[n_all++];
}

/* A whole number that ends the text, or is followed by `end`; -1: none. */
static long
number(const char *text, char end)
{
	char *rest;

	if (text == NULL || *text < '0' || *text > '9')
		return -1;
	long value = strtol(text, &rest, 10);
	return *rest == end ? value : -1;
}

/* The part of the text up to the next `end`; moves the text behind it. */
static const char *
next_part(const char **text, char end)
{
	const char *stop = strchrnul(*text, end);
	const char *part = arena_strz(&memory, slice_of(*text, (size_t)(stop - *text)));

	*text = *stop != '\0' ? stop + 1 : stop;
	return part != NULL ? part : "";
}

static void
take_from_manager(void)
{
	long n = number(getenv("LISTEN_FDS"), '\0');
	const char *said = getenv("LISTEN_FDNAMES");

	if (number(getenv("LISTEN_PID"), '\0') != getpid() || n < 1 || n > MOST)
		return;
	n_managed = (unsigned)n;
	if (said != NULL)
		names = arena_strz(&memory, slice_str(said));
	said = names != NULL ? names : "";
	for (int fd = FIRST; fd < FIRST + n; fd++)
		add(fd, FROM_MANAGER, next_part(&said, ':'));
}

/* Lines of FD=ADDRESS, as listeners_pass_on() writes them. */
static void
take_from_arbiter(void)
{
	const char *lines = getenv(INHERITED_VARIABLE);

	while (lines != NULL && *lines != '\0') {
		const char *line = next_part(&lines, '\n');
		long fd = number(line, '=');
		if (fd < FIRST || fd > INT_MAX || !is_listening((int)fd))
			continue;
		struct inherited *i = add((int)fd, FROM_ARBITER, "");
		if (i != NULL)
			address_parse(&i->address, strchr(line, '=') + 1, &memory);
	}
}

void
inherited_init(void)
{
	static const char *const variables[] = { "LISTEN_PID", "LISTEN_FDS",
		"LISTEN_FDNAMES", INHERITED_VARIABLE };

	take_from_manager();
	take_from_arbiter();
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
}

/* ---- Which socket is for which address ---- */

static bool
is_named(const struct inherited *i, const char *word)
{
	return number(word, '\0') == i->fd ||
		(*i->name != '\0' && strcmp(i->name, word) == 0);
}

static bool
is_for(const struct inherited *i, const struct address *wanted)
{
	if (i->from == FROM_ARBITER)
		return address_same(&i->address, wanted);
	return wanted->kind == ADDRESS_FD ? is_named(i, wanted->host)
					  : bound_to(i->fd, wanted);
}

/* What we open ourselves is close-on-exec, so what is not has been open before. */
static struct inherited *
find_unannounced(const struct address *wanted)
{
	long fd = wanted->kind == ADDRESS_FD ? number(wanted->host, '\0') : -1;

	if (fd < FIRST || fd > INT_MAX || fcntl((int)fd, F_GETFD) != 0)
		return NULL;
	return add((int)fd, FROM_MANAGER, "");
}

static struct inherited *
find(const struct address *wanted)
{
	for (size_t i = 0; i < n_all; i++) {
		if (!all[i].is_taken && is_for(&all[i], wanted))
			return &all[i];
	}
	return find_unannounced(wanted);
}

bool
inherited_is_for(int fd, const struct address *wanted)
{
	for (size_t i = 0; i < n_all; i++) {
		if (all[i].fd == fd && all[i].from == FROM_MANAGER)
			return is_for(&all[i], wanted);
	}
	return false;
}

int
inherited_take(const struct address *wanted, enum inherited_from *from)
{
	struct inherited *i = find(wanted);
	int on = 1;

	*from = FROM_NOBODY;
	if (i == NULL || !is_listening(i->fd))
		return -1;
	i->is_taken = true;
	*from = i->from;
	fcntl(i->fd, F_SETFL, fcntl(i->fd, F_GETFL) | O_NONBLOCK);
	/* Only TCP has it, and the sockets that accept() returns inherit it. */
	setsockopt(i->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return i->fd;
}

void
inherited_give_back(int fd)
{
	for (size_t i = 0; i < n_all; i++) {
		if (all[i].fd == fd)
			all[i].is_taken = false;
	}
}

/* ---- What is left over ---- */

void
inherited_settle(void)
{
	for (size_t i = 0; i < n_all; i++) {
		struct inherited *left = &all[i];
		if (left->is_taken)
			continue;
		if (left->from == FROM_MANAGER)
			log_warning("descriptor %d, handed over%s%s, is used by no "
				    "bind: its address is none of these, nor is "
				    "fd://%d",
				left->fd, *left->name != '\0' ? " as " : "", left->name,
				left->fd);
		else
			close(left->fd);
	}
}

void
inherited_clean_up(void)
{
	for (size_t i = 0; i < n_all; i++) {
		const struct inherited *left = &all[i];
		if (left->from == FROM_ARBITER && !left->is_taken &&
			left->address.kind == ADDRESS_UNIX)
			socket_file_clear(left->address.host);
	}
}

/* ---- To hand on ---- */

void
inherited_pass_on(void)
{
	char text[16];

	for (size_t i = 0; i < n_all; i++) {
		if (all[i].from == FROM_MANAGER)
			fcntl(all[i].fd, F_SETFD, 0);
	}
	if (n_managed == 0)
		return;
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%u", n_managed);
	setenv("LISTEN_FDS", text, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
}
