/*
 * environ["alicorn.socket"]: the client's connection, as a socket.socket. Each request
 * has one, and few applications look at it: so it is opened when its first attribute is
 * asked for, and the same object serves one request after the other until then.
 *
 * When the application returns ALREADY_HANDLED the connection is its own, and ends with
 * this object: when it is closed, or nobody holds it any more. In detached mode a Proc
 * with a status() of its own tells the end instead of the latter.
 */
#ifndef PYTHON_CONNECTION_H
#define PYTHON_CONNECTION_H

#include <Python.h>
#include <stdbool.h>

struct exchange;

/* Makes the type; -1 with an exception. */
int connection_init(void);
void connection_release(void);

/* alicorn.Socket. */
PyTypeObject *connection_type(void);

/* A new reference to the socket of this exchange, or NULL with an exception. */
PyObject *connection_begin(struct exchange *x);

/* The gateway is about to write: the descriptor is as it needs it, whatever the
 * application has made of it. */
void connection_restore(PyObject *connection);

/* The request ends; takes the reference over. What was opened is closed, unless the
 * connection is the application's from now on. */
void connection_end(PyObject *connection, bool already_handled);

/* alicorn.detach(environ, proc). */
PyObject *connection_detach(PyObject *module, PyObject *args);

#endif
