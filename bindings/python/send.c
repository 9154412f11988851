#include "bindings/python/send.h"

#include "bindings/python/file_wrapper.h"
#include "bindings/python/handled.h"

/* A list or tuple of the very type: its items are there already, no code of the
 * application runs between them, and it has no close(). */
static bool
is_at_hand(PyObject *result)
{
	return PyList_CheckExact(result) || PyTuple_CheckExact(result);
}

/* The gateway learns where the end is, so that it can tell the length and send all at
 * once. */
static int
send_at_hand(struct exchange *x, PyObject *items)
{
	for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items); i++) {
		PyObject *item = Py_NewRef(PySequence_Fast_GET_ITEM(items, i));
		bool last = i == PySequence_Fast_GET_SIZE(items) - 1;
		int result = exchange_write(x, item, last ? SEND_LAST : SEND_LATER);
		Py_DECREF(item);
		if (result != 0)
			return -1;
	}
	return 0;
}

/* Each item is sent before the application is asked for the next. */
static int
send_each(struct exchange *x, PyObject *result)
{
	PyObject *each = PyObject_GetIter(result), *item;

	if (each == NULL && result == Py_None)
		PyErr_SetString(PyExc_TypeError,
			"the application returned None, not an iterable of bytes (PEP "
			"3333)");
	if (each == NULL)
		return -1;
	while ((item = PyIter_Next(each)) != NULL) {
		int sent = exchange_write(x, item, SEND_NOW);
		Py_DECREF(item);
		if (sent != 0)
			break;
	}
	Py_DECREF(each);
	return PyErr_Occurred() ? -1 : 0;
}

static int
send_items(struct exchange *x, PyObject *result)
{
	int fd;
	off_t offset;

	if (is_at_hand(result))
		return send_at_hand(x, result);
	if (Py_IS_TYPE(result, &file_wrapper_type) &&
		file_wrapper_is_file(result, &fd, &offset))
		return exchange_sendfile(x, fd, offset);
	return send_each(x, result);
}

bool
is_handled(PyObject *result)
{
	return !is_at_hand(result) && !PyGen_CheckExact(result) && handled_is(result);
}

int
send_result(struct exchange *x, PyObject *result)
{
	if (send_items(x, result) != 0)
		return -1;
	if (x->started)
		return 0;
	PyErr_SetString(
		PyExc_RuntimeError, "the application did not call start_response");
	return -1;
}

int
close_result(PyObject *result)
{
	static PyObject *name;

	if (is_at_hand(result))
		return 0;
	if (name == NULL && (name = PyUnicode_InternFromString("close")) == NULL)
		return -1;
	PyObject *method = PyObject_GetAttr(result, name);
	if (method == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
		PyErr_Clear();
		return 0;
	}
	PyObject *nothing = method != NULL ? PyObject_CallNoArgs(method) : NULL;
	Py_XDECREF(method);
	Py_XDECREF(nothing);
	return nothing != NULL ? 0 : -1;
}
