/*
 * Whom a request comes from, by the fields that proxies add: Forwarded (RFC 7239) and
 * X-Forwarded-For. Each proxy appends the address that it was connected from, so a list
 * is to be believed from its end, as far as the proxies are.
 */
#ifndef PROTOCOLS_FORWARDED_H
#define PROTOCOLS_FORWARDED_H

#include <stdbool.h>

#include "protocols/proxy.h"
#include "protocols/slice.h"

enum forwarded_syntax { FORWARDED_X_FOR, FORWARDED_RFC7239 };

/*
 * Takes the last element off the list and gives its node, such as 192.0.2.7 or
 * "[2001:db8::1]:4711" (the empty slice when it names none). False: the list is empty.
 */
bool forwarded_last(
	enum forwarded_syntax syntax, struct slice *list, struct slice *node);

/* The address of a node, and its port or 0. False: it is none, but "unknown", a name,
 * or nonsense. */
bool forwarded_address(struct slice node, union proxy_address *address);

#endif
