/*
 * What the application has returned: its items become the body of the response.
 */
#ifndef PYTHON_SEND_H
#define PYTHON_SEND_H

#include "bindings/python/exchange.h"

/* Sends all of it; -1 with an exception. */
int send_result(struct exchange *x, PyObject *result);

/* Whether it is ALREADY_HANDLED instead. */
bool is_handled(PyObject *result);

/* Calls its close(), if it has one; -1 with an exception. */
int close_result(PyObject *result);

#endif
