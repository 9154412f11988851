/* The control socket itself: where it is, for how long, and who may come. */
#include "gateway/arbiter/inside.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/arbiter/upgrade.h"
#include "gateway/common/clock.h"
#include "gateway/logger/log.h"

/* Beside the arbiter before us, whose socket it is, ours is another one. */
#define SECOND ".2"

enum { PEERS_A_ROUND = 64 };

/* ---- The file ---- */

/* NULL: there shall be none, or, with *reason, there is no memory. */
static char *
name_socket(const struct server_settings *s, const char **reason)
{
	char *path = NULL;

	*reason = NULL;
	if (s->control_socket == NULL || s->control_socket_disable)
		return NULL;
	if (asprintf(&path, "%s%s", s->control_socket,
		    upgrade_is_second() ? SECOND : "") == -1) {
		*reason = strerror(ENOMEM);
		return NULL;
	}
	return path;
}

static const char *
give(const char *path, const struct server_settings *s)
{
	struct identity own = identity_own();

	return socket_file_give(path, (mode_t)s->control_socket_mode, &own);
}

static const char *
explain(const char *path, int error)
{
	static char reason[PATH_MAX + 128];

	snprintf(reason, sizeof(reason), "control socket %s: %s", path,
		error == EADDRINUSE ? "another server answers there"
				    : socket_file_why(error));
	return reason;
}

void
control_close(struct control *c)
{
	if (c->fd == -1)
		return;
	socket_file_remove(&c->file, c->path);
	close(c->fd);
	free(c->path);
	c->fd = -1;
	c->path = NULL;
}

/* Takes the path over. */
static const char *
replace(struct arbiter *a, char *path, const struct server_settings *s)
{
	struct control *c = &a->control;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = c };
	struct socket_file file = { 0 };
	int fd = socket_file_open(path);
	const char *reason = NULL;

	if (fd == -1) {
		reason = explain(path, errno);
		goto out;
	}
	socket_file_note(&file, path);
	reason = give(path, s);
	if (reason == NULL &&
		epoll_ctl(a->family.epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		reason = explain(path, errno);
	if (reason != NULL) {
		socket_file_remove(&file, path);
		goto out;
	}
	control_close(c);
	c->fd = fd;
	c->path = path;
	c->file = file;
	log_info("control socket %s", path);
	return NULL;
out:
	if (fd != -1)
		close(fd);
	free(path);
	return reason;
}

const char *
control_open(struct arbiter *a)
{
	const struct server_settings *s = &a->reload.current->config->server;
	struct control *c = &a->control;
	const char *reason;
	char *path = name_socket(s, &reason);

	c->generation = a->reload.current->number;
	if (path == NULL) {
		if (reason == NULL)
			control_close(c);
		return reason;
	}
	/* Somebody may have removed the file: then nobody could come any more. */
	if (c->path == NULL || strcmp(path, c->path) != 0 ||
		!socket_file_is_there(&c->file, path))
		return replace(a, path, s);
	free(path);
	return give(c->path, s);
}

void
control_promote(struct control *c)
{
	char *path = c->path != NULL ? strdup(c->path) : NULL;

	if (path == NULL)
		return;
	path[strlen(path) - strlen(SECOND)] = '\0';
	if (rename(c->path, path) == -1) {
		log_error("rename %s to %s: %s", c->path, path, strerror(errno));
		free(path);
		return;
	}
	free(c->path);
	c->path = path;
}

/* ---- Who comes ---- */

static bool
is_allowed(const struct arbiter *a, uid_t uid)
{
	const struct server_settings *s = &a->reload.current->config->server;

	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < s->control_users.n; i++) {
		if (s->control_uids[i] == uid)
			return true;
	}
	return false;
}

static struct control_peer *
find_place(struct control *c)
{
	for (size_t i = 0; i < CONTROL_PEERS; i++) {
		if (c->peers[i].fd == -1)
			return &c->peers[i];
	}
	return NULL;
}

static void
turn_away(int fd, const char *words)
{
	(void)!send(fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void
begin(struct arbiter *a, int fd, const struct ucred *who)
{
	struct control_peer *peer = find_place(&a->control);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };

	if (peer == NULL) {
		turn_away(fd, "failed\nthe control socket is busy\n");
		return;
	}
	if (epoll_ctl(a->family.epoll, EPOLL_CTL_ADD, fd, &event) == -1) {
		close(fd);
		return;
	}
	*peer = (struct control_peer){
		.fd = fd,
		.watched = EPOLLIN,
		.uid = who->uid,
		.pid = who->pid,
		.deadline = clock_ms() + CONTROL_PATIENCE_MS,
	};
}

static void
take_peer(struct arbiter *a, int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == -1) {
		close(fd);
	} else if (!is_allowed(a, who.uid)) {
		log_warning("control: user %u (pid %d) is none of control_users",
			(unsigned)who.uid, (int)who.pid);
		turn_away(fd,
			"failed\nyou are not allowed to: see control_users in "
			"alicorn.conf(5)\n");
	} else {
		begin(a, fd, &who);
	}
}

/* Edge-triggered: when descriptors are out the next who comes is another attempt. Who
 * is left for the next round is told of again. */
void
control_accept(struct arbiter *a)
{
	struct control *c = &a->control;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = c };
	int fd = 0;

	for (int i = 0; i < PEERS_A_ROUND && fd != -1; i++) {
		fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd != -1)
			take_peer(a, fd);
	}
	if (fd != -1)
		epoll_ctl(a->family.epoll, EPOLL_CTL_MOD, c->fd, &event);
}
