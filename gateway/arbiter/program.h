/*
 * Managed programs, such as php-cgi: processes that the arbiter runs and supervises,
 * with a listening unix socket as descriptor 0, as FastCGI wants it. The workers of the
 * application talk to them over that socket.
 */
#ifndef ARBITER_PROGRAM_H
#define ARBITER_PROGRAM_H

#include "gateway/config/settings.h"

/* The socket, in a folder of its own that nobody else can enter. */
struct program_socket {
	int fd; /* -1: closed */
	char *target; /* "unix:PATH", for the binding */
};

#define PROGRAM_SOCKET_CLOSED \
	{ \
		.fd = -1 \
	}

/* For programs and workers of this user and group. Returns NULL, or why it cannot be
 * made; the text lives until the next call. */
const char *program_socket_open(
	struct program_socket *s, const struct identity *identity);
/* Where it lies, of its target. */
const char *program_path(const char *target);

/* Removes the socket and its folder. */
void program_socket_close(struct program_socket *s);

/* In the child: becomes the program. Returns only when that fails, and says why; the
 * text is never freed. */
const char *program_exec(const struct app_settings *app, int socket);

#endif
