/*
 * The environ: a dict with the variables of a request and what PEP 3333 adds to them.
 */
#ifndef PYTHON_ENVIRON_H
#define PYTHON_ENVIRON_H

#include "bindings/python/exchange.h"

/* Makes what is the same in every request; -1 with an exception. */
int environ_init(void);
void environ_release(void);

/* A new reference, or NULL with an exception. */
PyObject *environ_new(const struct exchange *x);

#endif
