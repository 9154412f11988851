/*
 * Letters: what applications send, through the arbiter, to the other workers of theirs,
 * or to the hook on_message. They are passed on at once, or dropped: the arbiter keeps
 * nothing but what waits in the channels.
 */
#ifndef ARBITER_LETTERS_H
#define ARBITER_LETTERS_H

#include "gateway/arbiter/child.h"

/* The payload is a struct letter and the data; the descriptor stays the caller's. */
void letters_heard(struct family *f, struct child *from, const struct imsg *m);

#endif
