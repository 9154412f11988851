/*
 * Addresses to listen on or connect to, as gunicorn writes them: HOST, HOST:PORT,
 * :PORT, [V6]:PORT, tcp://HOST:PORT, unix:PATH, unix://PATH; or fd://N and fd://NAME
 * for a socket that is open already. Nothing is resolved here.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>

#include "protocols/arena.h"

enum address_kind { ADDRESS_TCP, ADDRESS_UNIX, ADDRESS_FD };

struct address {
	enum address_kind kind;
	const char *text; /* as it was written */
	const char *host; /* "0.0.0.0" for :PORT; without the brackets; the path of
			   * unix:; the number or name of fd: */
	const char *port; /* decimal; "" for unix: and fd: */
};

/* Texts are copied into the arena. Returns NULL, or what is wrong. */
const char *address_parse(struct address *a, const char *text, struct arena *memory);

/* Whether two mean the same, by their texts. */
bool address_same(const struct address *a, const struct address *b);

/* As it would be written: "127.0.0.1:8000", "unix:/run/x"; the text lives until the
 * next call. */
const char *address_text(const struct address *a);

#endif
