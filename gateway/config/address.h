/*
 * Addresses to listen on or connect to, as gunicorn writes them: HOST, HOST:PORT,
 * :PORT, [V6]:PORT, tcp://HOST:PORT, unix:PATH, unix://PATH. Nothing is resolved here.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include "protocols/arena.h"

enum address_kind { ADDRESS_TCP, ADDRESS_UNIX };

struct address {
	enum address_kind kind;
	const char *text; /* as it was written */
	const char *
		host; /* "0.0.0.0" for :PORT; without the brackets; the path of unix: */
	const char *port; /* decimal; "" for unix: */
};

/* Texts are copied into the arena. Returns NULL, or what is wrong. */
const char *address_parse(struct address *a, const char *text, struct arena *memory);

#endif
