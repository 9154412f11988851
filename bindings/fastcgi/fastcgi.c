/*
 * The binding of FastCGI applications: a client of a responder that runs elsewhere, or
 * that the arbiter runs and supervises. The target is "HOST:PORT", "[V6]:PORT" or
 * "unix:PATH".
 *
 * Each request has a connection of its own, closed at its end. A kept one would hold a
 * process of the backend while it is idle, and a pool of them starves for as many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bindings/fastcgi/backend.h"
#include "bindings/fastcgi/exchange.h"

enum { CONNECT_MS = 5000 };

/* ---- Loading ---- */

/* One list for both kinds; a unix address is allocated as one piece, with its path. */
static const char *
resolve_unix(struct backend *b, const char *path)
{
	struct place {
		struct addrinfo info;
		struct sockaddr_un address;
	} *place = calloc(1, sizeof(*place));

	if (place == NULL)
		return "out of memory";
	b->addresses = &place->info;
	if (strlen(path) >= sizeof(place->address.sun_path))
		return "the path of the unix socket is too long";
	place->address.sun_family = AF_UNIX;
	memcpy(place->address.sun_path, path, strlen(path));
	place->info.ai_family = AF_UNIX;
	place->info.ai_addr = (struct sockaddr *)&place->address;
	place->info.ai_addrlen = sizeof(place->address);
	return NULL;
}

static const char *
resolve_tcp(struct backend *b, const char *target)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(target, ':');
	char host[256];

	if (colon == NULL || colon == target || colon[1] == '\0')
		return "the target is not HOST:PORT or unix:PATH";
	size_t len = (size_t)(colon - target);
	if (target[0] == '[' && target[len - 1] == ']') {
		target++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return "the name of the host is too long";
	memcpy(host, target, len);
	host[len] = '\0';
	int error = getaddrinfo(host, colon + 1, &hints, &b->addresses);
	return error == 0 ? NULL : gai_strerror(error);
}

static const char *
resolve(struct backend *b, const char *target)
{
	b->target = target;
	if (strncmp(target, "unix:", 5) == 0)
		return resolve_unix(b, target + 5);
	return resolve_tcp(b, target);
}

static void
unload(void *app)
{
	struct backend *b = app;

	if (b->addresses != NULL && b->addresses->ai_family == AF_UNIX)
		free(b->addresses);
	else if (b->addresses != NULL)
		freeaddrinfo(b->addresses);
	if (b->root_fd != -1)
		close(b->root_fd);
	arena_release(&b->memory);
	free(b);
}

static void
load_limits(struct backend *b)
{
	const char *timeout = al_option("timeout", 0);
	unsigned long ms = timeout != NULL ? strtoul(timeout, NULL, 10) * 1000 : 0;

	b->timeout_ms = (unsigned)ms;
	b->connect_ms = ms != 0 && ms < CONNECT_MS ? (unsigned)ms : CONNECT_MS;
}

static const char *
load(const char *target, void **app)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return "out of memory";
	b->root_fd = -1;
	load_limits(b);
	const char *error = resolve(b, target);
	if (error == NULL)
		error = script_load(b);
	if (error == NULL)
		error = params_load(b);
	if (error != NULL)
		unload(b);
	else
		*app = b;
	return error;
}

/* ---- Requests ---- */

/* An answer of our own; the connection of the client stays. */
static int
refuse(struct al_request *req, const char *status, const char *location)
{
	const struct al_header headers[] = {
		{ .name = "Content-Type", .value = "text/plain; charset=utf-8" },
		{ .name = "Location", .value = location },
	};

	if (al_start(req, status, headers, location != NULL ? 2 : 1) != 0 ||
		al_write(req, status, strlen(status)) != 0 ||
		al_write(req, "\n", 1) != 0)
		return AL_ERROR;
	return AL_DONE;
}

static int
handle(void *app, struct al_request *req)
{
	const struct backend *b = app;
	struct arena memory = { 0 };
	struct buffer out = { 0 };
	struct script script;
	int result;

	const char *refusal = script_find(&script, b, req, &memory);
	if (refusal == NULL)
		refusal = params_encode(&out, b, req, &script);
	if (refusal == NULL)
		result = exchange_start(b, req, &out);
	else
		result = refuse(req, refusal, script.location);
	buffer_release(&out);
	arena_release(&memory);
	return result;
}

const struct al_binding al_binding = {
	.abi = AL_ABI,
	.flags = AL_EVENT_DRIVEN,
	.name = "fastcgi",
	.load = load,
	.handle = handle,
	.unload = unload,
};
