/*
 * The files of the application's modules, for the setting reload.
 */
#ifndef PYTHON_FILES_H
#define PYTHON_FILES_H

#include <Python.h>

/* Names those of all modules that are loaded. */
void files_name_modules(void);

/* Names those that an exception came through: a module that cannot be loaded is in no
 * list. */
void files_name_traceback(PyObject *exception);

#endif
