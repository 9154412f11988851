/*
 * The interpreter, and the application in it.
 */
#ifndef PYTHON_LOAD_H
#define PYTHON_LOAD_H

#include <Python.h>

/* Starts the interpreter, whose import path begins with the "pythonpath" setting and
 * the working folder. Returns NULL, or why not. The caller then holds the interpreter's
 * lock. */
const char *interpreter_start(void);

/*
 * Loads what the target names:
 *
 *   MODULE  MODULE:NAME  MODULE:NAME.NAME  MODULE:FACTORY('x', y=1)
 *   FILE.py  FILE.py:NAME ...
 *
 * Without a name it is "application", or else "app". Returns NULL and a new reference,
 * or why not, in one line; the traceback of an error inside the application is logged.
 */
const char *application_load(const char *target, PyObject **app);

#endif
