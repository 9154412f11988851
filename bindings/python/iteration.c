#include "bindings/python/iteration.h"

#include <stdbool.h>

#include "bindings/python/log.h"
#include "bindings/python/module.h"
#include "gateway/alicorn.h"

static PyObject *each; /* NULL: not begun, or at its end */

static bool has_begun;

/* The application, or what its __iter__ gives. One that is neither has no work between
 * requests. */
static void
begin(PyObject *app)
{
	has_begun = true;
	if (Py_TYPE(app)->tp_iter == NULL && !PyIter_Check(app)) {
		al_log(NULL, AL_WARNING,
			"the application is no iterator, as worker_class = "
			"\"iterating\" "
			"wants it");
		return;
	}
	each = PyIter_Check(app) ? Py_NewRef(app) : PyObject_GetIter(app);
	if (each == NULL)
		log_exception(NULL);
}

/* Why there was no item: a pause that it asked for, the end, or a fault, after which it
 * is tried again. */
static void
settle(void)
{
	PyObject *error = PyErr_Occurred();

	if (error == NULL || PyErr_ExceptionMatches(PyExc_StopIteration)) {
		PyErr_Clear();
		Py_CLEAR(each);
	} else if (PyErr_ExceptionMatches(pause_iteration)) {
		PyErr_Clear();
	} else {
		log_exception(NULL);
	}
}

int
iteration_step(PyObject *app)
{
	if (!has_begun)
		begin(app);
	if (each == NULL)
		return AL_PAUSE;
	PyObject *item = Py_TYPE(each)->tp_iternext(each);
	/* A generator would be at its end if it raised: it gives what it means. */
	bool pauses = item == NULL || item == pause_iteration;
	if (item == NULL)
		settle();
	Py_XDECREF(item);
	return pauses ? AL_PAUSE : AL_AGAIN;
}

void
iteration_release(void)
{
	Py_CLEAR(each);
}
