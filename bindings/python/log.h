/*
 * Python's exceptions in the server's log.
 */
#ifndef PYTHON_LOG_H
#define PYTHON_LOG_H

#include <Python.h>

#include "gateway/alicorn.h"

/* Logs a text of several lines. */
void log_lines(struct al_request *req, enum al_level level, const char *text);

/* Logs the current exception with its traceback, line by line, and clears it. */
void log_exception(struct al_request *req);

/* The same of an exception object. */
void log_traceback(struct al_request *req, PyObject *exception);

#endif
