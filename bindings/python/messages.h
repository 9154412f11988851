/*
 * Messages of the application to the other workers of its pool, and to the arbiter.
 */
#ifndef PYTHON_MESSAGES_H
#define PYTHON_MESSAGES_H

#include <Python.h>

/* alicorn.send(type, data, fd=-1, to=POOL). */
PyObject *messages_send(PyObject *module, PyObject *args, PyObject *names);

/* alicorn.on_message(function or None). */
PyObject *messages_follow(PyObject *module, PyObject *function);

void messages_release(void);

#endif
