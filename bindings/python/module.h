/*
 * The module `alicorn`, which is there in applications only. Described in
 * alicorn-python(7) and typed in alicorn.pyi.
 */
#ifndef PYTHON_MODULE_H
#define PYTHON_MODULE_H

#include <Python.h>

/* alicorn.PauseIteration. */
extern PyObject *pause_iteration;

/* Before the interpreter starts: makes the module known. Returns -1 when memory is out.
 */
int module_announce(void);

/* Makes what the module and the binding share; -1 with an exception. */
int module_init(void);
void module_release(void);

#endif
