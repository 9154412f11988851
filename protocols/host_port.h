/*
 * A host and its port as they stand in settings: HOST, HOST:PORT or [V6]:PORT.
 */
#ifndef PROTOCOLS_HOST_PORT_H
#define PROTOCOLS_HOST_PORT_H

#include "protocols/slice.h"

/* The host has no brackets then. A port that is not given stays what it was. Returns
 * NULL, or what is wrong. */
const char *host_port_parse(struct slice text, struct slice *host, struct slice *port);

#endif
