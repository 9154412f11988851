/*
 * Python's exceptions in the server's log.
 */
#ifndef PYTHON_LOG_H
#define PYTHON_LOG_H

#include <Python.h>

#include "gateway/alicorn.h"

/* Logs the current exception with its traceback, line by line, and clears it. */
void log_exception(struct al_request *req);

/* The same of an exception object. */
void log_traceback(struct al_request *req, PyObject *exception);

#endif
