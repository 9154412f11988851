/*
 * wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling").
 */
#ifndef PYTHON_FILE_WRAPPER_H
#define PYTHON_FILE_WRAPPER_H

#include <Python.h>
#include <stdbool.h>
#include <sys/types.h>

extern PyTypeObject file_wrapper_type;

/* Whether the wrapper is around a regular file; its descriptor and what is next to be
 * read from it. Else it is to be iterated. */
bool file_wrapper_is_file(PyObject *wrapper, int *fd, off_t *offset);

#endif
