#include "gateway/arbiter/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/arbiter/bound.h"
#include "gateway/arbiter/inherited.h"
#include "gateway/arbiter/obstacle.h"
#include "gateway/arbiter/socket_file.h"
#include "gateway/logger/log.h"

enum { RETRY_MS = 1000, PORT_TEXT = 8 };

struct listening {
	struct listener listener; /* its texts are copies, in `memory` */
	struct arena memory;
	struct address wanted; /* as configured; port "0" stands for any */
	bool reuse_port; /* other servers may bind the address too */
	enum inherited_from from;
	bool is_shared; /* another arbiter uses the socket too */
	char port[PORT_TEXT]; /* the one that was bound */
	unsigned users;
	unsigned generation; /* the newest one that uses it */
	struct socket_file file; /* of a unix socket */
	TAILQ_ENTRY(listening) next;
};

static const char *
explain(const struct address *address, const char *what)
{
	static char reason[PATH_MAX + 512];

	snprintf(reason, sizeof(reason), "listen on %s: %s", address->text, what);
	return reason;
}

static int
new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Closes and returns -1, with the errno that was. */
static int
fail(int fd)
{
	int saved = errno;

	if (fd != -1)
		close(fd);
	errno = saved;
	return -1;
}

static int
set_on(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on));
}

/* ---- TCP ---- */

static int
bind_inet(const struct addrinfo *info, bool reuse_port)
{
	int fd = new_socket(info->ai_family);

	/* TCP_NODELAY is inherited by the sockets that accept() returns. */
	if (fd == -1 || set_on(fd, SOL_SOCKET, SO_REUSEADDR) == -1 ||
		set_on(fd, IPPROTO_TCP, TCP_NODELAY) == -1 ||
		(reuse_port && set_on(fd, SOL_SOCKET, SO_REUSEPORT) == -1) ||
		(info->ai_family == AF_INET6 &&
			set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) == -1) ||
		bind(fd, info->ai_addr, info->ai_addrlen) == -1 ||
		listen(fd, SOMAXCONN) == -1)
		return fail(fd);
	return fd;
}

/* A name may stand for several addresses: the first that can be bound is taken. */
static int
open_tcp(const struct listening *l, const char **reason)
{
	const struct address *address = &l->wanted;
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *all;
	int fd = -1;

	int error = getaddrinfo(address->host, address->port, &hints, &all);
	if (error != 0) {
		errno = error == EAI_SYSTEM ? errno : EADDRNOTAVAIL;
		*reason = explain(address, gai_strerror(error));
		return -1;
	}
	for (const struct addrinfo *i = all; i != NULL && fd == -1; i = i->ai_next) {
		fd = bind_inet(i, l->reuse_port);
		error = errno;
		if (fd == -1)
			*reason = explain(address, obstacle_text(error, i->ai_addr));
	}
	freeaddrinfo(all);
	errno = error;
	return fd;
}

static void
note_port(struct listening *l)
{
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);

	if (getsockname(l->listener.fd, (struct sockaddr *)&bound, &size) == 0 &&
		getnameinfo((struct sockaddr *)&bound, size, NULL, 0, l->port,
			sizeof(l->port), NI_NUMERICSERV) == 0)
		l->listener.address.port = l->port;
}

/* ---- unix ---- */

static int
open_unix(const struct listening *l, const char **reason)
{
	int fd = socket_file_open(l->wanted.host);
	int error = errno;

	if (fd == -1)
		*reason = explain(&l->wanted, socket_file_why(error));
	errno = error;
	return fd;
}

static void
note_file(struct listening *l)
{
	socket_file_note(&l->file, l->listener.address.host);
}

static void
remove_file(struct listening *l)
{
	socket_file_remove(&l->file, l->listener.address.host);
}

/* ---- fd:// ---- */

static int
miss_descriptor(const struct listening *l, const char **reason)
{
	errno = EBADF;
	*reason = explain(&l->wanted,
		"no listening socket of that number or name was handed over");
	return -1;
}

static void
note_address(struct listening *l)
{
	bound_address(l->listener.fd, &l->listener.address, &l->memory);
}

static void
forget_nothing(struct listening *l)
{
	(void)l;
}

static const struct {
	int (*open)(const struct listening *l, const char **reason);
	void (*opened)(struct listening *l);
	void (*closed)(struct listening *l);
} kinds[] = {
	[ADDRESS_TCP] = { open_tcp, note_port, forget_nothing },
	[ADDRESS_UNIX] = { open_unix, note_file, remove_file },
	[ADDRESS_FD] = { miss_descriptor, note_address, forget_nothing },
};

/* ---- All of them ---- */

/* The open socket for the address that this generation does not use yet. */
static struct listening *
find(struct listeners *all, const struct address *address, unsigned generation)
{
	struct listening *l;

	TAILQ_FOREACH (l, all, next) {
		if (l->generation != generation &&
			(address_same(&l->wanted, address) ||
				inherited_is_for(l->listener.fd, address)))
			return l;
	}
	return NULL;
}

static void
release(struct listening *l)
{
	if (l->from == FROM_MANAGER)
		inherited_give_back(l->listener.fd);
	else if (l->listener.fd != -1)
		close(l->listener.fd);
	arena_release(&l->memory);
	free(l);
}

/* Without its socket yet; NULL when memory is out. */
static struct listening *
new_listening(const struct address *address)
{
	struct listening *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	struct address *copy = &l->wanted;
	l->listener.fd = -1;
	copy->kind = address->kind;
	copy->text = arena_strz(&l->memory, slice_str(address->text));
	copy->host = arena_strz(&l->memory, slice_str(address->host));
	copy->port = arena_strz(&l->memory, slice_str(address->port));
	l->listener.address = *copy;
	if (copy->text != NULL && copy->host != NULL && copy->port != NULL)
		return l;
	release(l);
	return NULL;
}

static int
open_patiently(const struct listening *l, unsigned attempts, const char **reason)
{
	int fd;

	while ((fd = kinds[l->wanted.kind].open(l, reason)) == -1 &&
		errno == EADDRINUSE && --attempts > 0) {
		log_warning("%s; tried again in a second", *reason);
		poll(NULL, 0, RETRY_MS);
	}
	return fd;
}

/* With the socket that was handed over for it, or one of its own; NULL and the reason.
 */
static struct listening *
open_listening(const struct address *address, bool reuse_port, unsigned attempts,
	const char **reason)
{
	struct listening *l = new_listening(address);

	if (l == NULL) {
		*reason = explain(address, strerror(ENOMEM));
		return NULL;
	}
	l->reuse_port = reuse_port;
	l->listener.fd = inherited_take(&l->wanted, &l->from);
	if (l->listener.fd == -1)
		l->listener.fd = open_patiently(l, attempts, reason);
	if (l->listener.fd == -1) {
		release(l);
		return NULL;
	}
	l->is_shared = l->from == FROM_ARBITER;
	kinds[l->wanted.kind].opened(l);
	return l;
}

const struct listener *
listener_open(struct listeners *all, const struct address *address, bool reuse_port,
	unsigned generation, unsigned attempts, const char **reason)
{
	struct listening *l = find(all, address, generation);

	if (l == NULL) {
		l = open_listening(address, reuse_port, attempts, reason);
		if (l == NULL)
			return NULL;
		TAILQ_INSERT_TAIL(all, l, next);
	}
	l->users++;
	l->generation = generation;
	return &l->listener;
}

/* A listener that is handed out is the first member of one of these. */
static struct listening *
whole(const struct listener *listener)
{
	return (struct listening *)(uintptr_t)listener;
}

bool
listener_is_new(const struct listener *listener)
{
	return whole(listener)->users == 1;
}

void
listener_close(struct listeners *all, const struct listener *listener)
{
	struct listening *l = whole(listener);

	if (--l->users > 0)
		return;
	TAILQ_REMOVE(all, l, next);
	if (l->from != FROM_MANAGER && !l->is_shared)
		kinds[l->wanted.kind].closed(l);
	release(l);
}

const char *
listener_text(const struct listener *listener)
{
	return address_text(&listener->address);
}

bool
listener_owns_file(const struct listener *listener)
{
	return listener->address.kind == ADDRESS_UNIX &&
		whole(listener)->from != FROM_MANAGER;
}

/* ---- Two arbiters ---- */

void
listeners_share(struct listeners *all, bool shared)
{
	struct listening *l;

	TAILQ_FOREACH (l, all, next) {
		l->is_shared = shared;
	}
}

void
listeners_pass_on(const struct listeners *all, struct buffer *lines)
{
	const struct listening *l;

	TAILQ_FOREACH (l, all, next) {
		if (l->from == FROM_MANAGER)
			continue;
		fcntl(l->listener.fd, F_SETFD, 0);
		buffer_addf(lines, "%d=%s\n", l->listener.fd, address_text(&l->wanted));
	}
}
