#include <Python.h>

#include <stdbool.h>

#include "bindings/python/fork.h"

/* An exception is not told: what fails here costs memory, or output, not more. */
static void
call(PyObject *object, const char *method)
{
	PyObject *result =
		object != NULL ? PyObject_CallMethod(object, method, NULL) : NULL;

	Py_XDECREF(result);
	PyErr_Clear();
}

/* What is garbage goes, and the collector never touches again what is left: its marks
 * would make each worker copy the pages that it shares with the others. */
static void
freeze(void)
{
	PyObject *gc = PyImport_ImportModule("gc");

	call(gc, "collect");
	call(gc, "freeze");
	Py_XDECREF(gc);
}

void
fork_begin(void)
{
	static bool frozen;

	if (!frozen)
		freeze();
	frozen = true;
	/* Lest each worker print once more what waits to be printed. */
	call(PySys_GetObject("stdout"), "flush");
	call(PySys_GetObject("stderr"), "flush");
	PyOS_BeforeFork();
}

void
fork_end_in_parent(void)
{
	PyOS_AfterFork_Parent();
}

void
fork_end_in_child(void)
{
	PyOS_AfterFork_Child();
}
