#include "gateway/arbiter/listener.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/logger/log.h"

enum { RETRY_MS = 1000, PORT_TEXT = 8 };

struct listening {
	struct listener listener; /* its texts are copies, in `memory` */
	struct arena memory;
	const char *wanted; /* the port of the configuration; "0" stands for any */
	char port[PORT_TEXT]; /* the one that was bound */
	unsigned users;
	unsigned generation; /* the newest one that uses it */
	dev_t device; /* of a unix socket's file, to remove no other */
	ino_t inode;
	TAILQ_ENTRY(listening) next;
};

static const char *
explain(const struct address *address, const char *what)
{
	static char reason[PATH_MAX + 128];

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
bind_inet(const struct addrinfo *info)
{
	int fd = new_socket(info->ai_family);

	/* TCP_NODELAY is inherited by the sockets that accept() returns. */
	if (fd == -1 || set_on(fd, SOL_SOCKET, SO_REUSEADDR) == -1 ||
		set_on(fd, IPPROTO_TCP, TCP_NODELAY) == -1 ||
		(info->ai_family == AF_INET6 &&
			set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) == -1) ||
		bind(fd, info->ai_addr, info->ai_addrlen) == -1 ||
		listen(fd, SOMAXCONN) == -1)
		return fail(fd);
	return fd;
}

/* A name may stand for several addresses: the first that can be bound is taken. */
static int
open_tcp(const struct address *address, const char **reason)
{
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
	for (const struct addrinfo *i = all; i != NULL && fd == -1; i = i->ai_next)
		fd = bind_inet(i);
	if (fd == -1)
		*reason = explain(address, strerror(errno));
	freeaddrinfo(all);
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

/* Removes the socket that a server left behind. Fails when something else is there:
 * EADDRINUSE when somebody answers, EEXIST when it is no socket. */
static int
clear_path(const struct sockaddr_un *name)
{
	struct stat st;

	if (lstat(name->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	int fd = new_socket(AF_UNIX);
	if (fd == -1)
		return -1;
	int refused = connect(fd, (const struct sockaddr *)name, sizeof(*name)) == -1 &&
		errno == ECONNREFUSED;
	close(fd);
	if (!refused) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(name->sun_path);
}

/* Nobody else can connect before the file has its owner and mode. */
static int
bind_private(int fd, const struct sockaddr_un *name)
{
	mode_t before = umask(0177);
	int done = bind(fd, (const struct sockaddr *)name, sizeof(*name));

	umask(before);
	return done;
}

static int
open_unix(const struct address *address, const char **reason)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	size_t len = strlen(address->host);
	int fd = -1;

	if (len >= sizeof(name.sun_path)) {
		errno = ENAMETOOLONG;
		*reason = explain(address, "the path is too long for a socket");
		return -1;
	}
	memcpy(name.sun_path, address->host, len);
	if (clear_path(&name) == -1 || (fd = new_socket(AF_UNIX)) == -1 ||
		bind_private(fd, &name) == -1 || listen(fd, SOMAXCONN) == -1) {
		fd = fail(fd);
		*reason = explain(address,
			errno == EEXIST ? "the file exists and is not a socket"
					: strerror(errno));
	}
	return fd;
}

static void
note_file(struct listening *l)
{
	struct stat st;

	if (lstat(l->listener.address.host, &st) == 0) {
		l->device = st.st_dev;
		l->inode = st.st_ino;
	}
}

/* Another server may have put its own socket there meanwhile. */
static void
remove_file(struct listening *l)
{
	struct stat st;

	if (lstat(l->listener.address.host, &st) == 0 && st.st_dev == l->device &&
		st.st_ino == l->inode)
		unlink(l->listener.address.host);
}

static void
forget_nothing(struct listening *l)
{
	(void)l;
}

static const struct {
	int (*open)(const struct address *address, const char **reason);
	void (*opened)(struct listening *l);
	void (*closed)(struct listening *l);
} kinds[] = {
	[ADDRESS_TCP] = { open_tcp, note_port, forget_nothing },
	[ADDRESS_UNIX] = { open_unix, note_file, remove_file },
};

/* ---- All of them ---- */

/* The open socket for the address that this generation does not use yet. */
static struct listening *
find(struct listeners *all, const struct address *address, unsigned generation)
{
	struct listening *l;

	TAILQ_FOREACH (l, all, next) {
		if (l->generation != generation &&
			l->listener.address.kind == address->kind &&
			strcmp(l->listener.address.host, address->host) == 0 &&
			strcmp(l->wanted, address->port) == 0)
			return l;
	}
	return NULL;
}

static void
release(struct listening *l)
{
	if (l->listener.fd != -1)
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
	struct address *copy = &l->listener.address;
	l->listener.fd = -1;
	copy->kind = address->kind;
	copy->text = arena_strz(&l->memory, slice_str(address->text));
	copy->host = arena_strz(&l->memory, slice_str(address->host));
	copy->port = l->wanted = arena_strz(&l->memory, slice_str(address->port));
	if (copy->text != NULL && copy->host != NULL && copy->port != NULL)
		return l;
	release(l);
	return NULL;
}

static int
open_patiently(const struct address *address, unsigned attempts, const char **reason)
{
	int fd;

	while ((fd = kinds[address->kind].open(address, reason)) == -1 &&
		errno == EADDRINUSE && --attempts > 0) {
		log_warning("%s; tried again in a second", *reason);
		poll(NULL, 0, RETRY_MS);
	}
	return fd;
}

const struct listener *
listener_open(struct listeners *all, const struct address *address, unsigned generation,
	unsigned attempts, const char **reason)
{
	struct listening *l = find(all, address, generation);

	if (l == NULL) {
		l = new_listening(address);
		if (l == NULL) {
			*reason = explain(address, strerror(ENOMEM));
			return NULL;
		}
		l->listener.fd = open_patiently(address, attempts, reason);
		if (l->listener.fd == -1) {
			release(l);
			return NULL;
		}
		kinds[address->kind].opened(l);
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
	kinds[l->listener.address.kind].closed(l);
	release(l);
}

const char *
listener_text(const struct listener *listener)
{
	static char text[NI_MAXHOST + PATH_MAX];
	const struct address *a = &listener->address;

	if (a->kind == ADDRESS_UNIX)
		snprintf(text, sizeof(text), "unix:%s", a->host);
	else
		snprintf(text, sizeof(text),
			strchr(a->host, ':') != NULL ? "[%s]:%s" : "%s:%s", a->host,
			a->port);
	return text;
}
