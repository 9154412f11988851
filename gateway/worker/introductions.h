/*
 * What the PROXY protocol told of connections that a front has handed to applications:
 * when one comes back the header is long gone, and what the application's worker says
 * of its client is not believed. Memory that a site's fronts share and nobody else can
 * map, and that outlives them. A connection is known by the kernel's cookie of its
 * socket, which no other socket ever has.
 */
#ifndef WORKER_INTRODUCTIONS_H
#define WORKER_INTRODUCTIONS_H

#include <stdbool.h>

#include "gateway/worker/conn.h"

/* Maps the memory behind the descriptor; -1 and errno. */
int introductions_open(int fd);

/* Takes note of it, before the connection leaves. The oldest of some others may be
 * forgotten for it. */
void introductions_note(const struct conn *c);

/* Fills in peer and proxied of one that came back; false: nothing is known of it. */
bool introductions_recall(struct conn *c);

#endif
