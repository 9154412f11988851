/*
 * ALREADY_HANDLED: what an application returns in the place of a body when the
 * connection is its own from now on.
 */
#ifndef PYTHON_HANDLED_H
#define PYTHON_HANDLED_H

#include <Python.h>
#include <stdbool.h>

/* alicorn.ALREADY_HANDLED. */
extern PyObject already_handled;

/* Makes its type; -1 with an exception. */
int handled_init(void);
void handled_release(void);

/* Whether this is the object, or that of gunicorn or eventlet. */
bool handled_is(PyObject *result);

#endif
