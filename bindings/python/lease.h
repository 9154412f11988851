/*
 * A connection that is the application's, until it is given back to the gateway: by its
 * socket, or by its Proc. Used with the interpreter's lock.
 */
#ifndef PYTHON_LEASE_H
#define PYTHON_LEASE_H

#include <Python.h>
#include <stdbool.h>

#include "gateway/alicorn.h"

struct lease;

/* alicorn.Proc, the base class of what supervises a detached connection. */
extern PyTypeObject proc_type;

/* Held by the socket and by the gateway, which asks the proc, if there is one. NULL
 * with an exception. */
struct lease *lease_new(struct al_request *req, PyObject *proc);

/* Gives the connection back, once. Not in a process that the application has forked:
 * there it is not ours. */
void lease_finish(struct lease *lease);

/* The socket has gone. */
void lease_leave(struct lease *lease);

#endif
