/*
 * worker_class = "iterating": the WSGI object is an iterator too, whose next() is
 * called between requests.
 */
#ifndef PYTHON_ITERATION_H
#define PYTHON_ITERATION_H

#include <Python.h>

/* One step of it; enum al_iteration. The interpreter's lock is held. */
int iteration_step(PyObject *app);

void iteration_release(void);

#endif
