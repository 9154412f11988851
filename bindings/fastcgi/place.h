/*
 * Where a backend is: addresses to connect to. A name has several, perhaps.
 */
#ifndef FASTCGI_PLACE_H
#define FASTCGI_PLACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct place {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	};
	socklen_t len;
};

/* All zero is none. */
struct places {
	struct place *items;
	size_t n;
};

/* What is looked up. */
struct host {
	char name[256];
	char service[8];
};

/* Reads "HOST:PORT", "[V6]:PORT" or "unix:PATH". What is an address already is a place
 * at once; for a name, host is filled, to be looked up. Returns NULL, or what is wrong.
 */
const char *places_parse(struct places *p, struct host *host, const char *text);

/* Asks the name servers, and waits for them. The places that p had are replaced when it
 * succeeds. Returns what getaddrinfo() does. */
int places_look_up(struct places *p, const struct host *host);

bool places_have(const struct places *p, const struct place *place);
void places_release(struct places *p);

#endif
