/*
 * The callables start_response and write (PEP 3333, "The start_response() Callable").
 */
#include "bindings/python/exchange.h"
#include "bindings/python/headers.h"
#include "bindings/python/hooks.h"

#include <errno.h>
#include <string.h>

/* The gateway takes a status that ends with a NUL; one that holds a NUL is none. */
static int
start(struct exchange *x, PyObject *status, const struct al_header *headers, size_t n)
{
	size_t len;
	const char *text = headers_latin1(status, "the status", &len);

	if (text == NULL)
		return -1;
	x->started = strlen(text) == len && al_start(x->req, text, headers, n) == 0;
	if (x->started)
		return 0;
	PyErr_SetString(PyExc_ValueError,
		"the status or a header is not allowed in a response");
	return -1;
}

static int
convert_and_start(struct exchange *x, PyObject *status, PyObject *list)
{
	struct headers headers;
	int result = headers_convert(&headers, list);

	if (result == 0)
		result = start(x, status, headers.all, headers.n);
	headers_release(&headers);
	return result;
}

/* Raises what the application has caught, where it was raised. */
static void
raise_again(PyObject *exc_info)
{
	if (!PyTuple_Check(exc_info) || PyTuple_GET_SIZE(exc_info) != 3 ||
		!PyExceptionInstance_Check(PyTuple_GET_ITEM(exc_info, 1))) {
		PyErr_SetString(
			PyExc_TypeError, "exc_info is not that of an exception");
		return;
	}
	PyObject *value = PyTuple_GET_ITEM(exc_info, 1);
	PyObject *traceback = PyTuple_GET_ITEM(exc_info, 2);
	PyErr_Restore(Py_NewRef(Py_TYPE(value)), Py_NewRef(value),
		PyTraceBack_Check(traceback) ? Py_NewRef(traceback) : NULL);
}

/* PEP 3333: without exc_info it may be called once. With it the head is replaced, or,
 * when it has gone, the exception is raised again. */
static int
may_start(const struct exchange *x, PyObject *exc_info)
{
	if (exc_info == Py_None) {
		if (!x->started)
			return 0;
		PyErr_SetString(PyExc_RuntimeError,
			"start_response was called again without exc_info");
	} else {
		if (!x->committed)
			return 0;
		raise_again(exc_info);
	}
	return -1;
}

PyObject *
start_response_call(
	PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
	struct exchange *x = part_exchange(self);
	Py_ssize_t n_names = names != NULL ? PyTuple_GET_SIZE(names) : 0;
	Py_ssize_t n = PyVectorcall_NARGS(nargsf) + n_names;

	if (x == NULL)
		return NULL;
	if (n < 2 || n > 3 || n_names > n - 2 ||
		(n_names == 1 &&
			PyUnicode_CompareWithASCIIString(
				PyTuple_GET_ITEM(names, 0), "exc_info") != 0)) {
		PyErr_SetString(PyExc_TypeError,
			"the call is start_response(status, headers, exc_info=None)");
		return NULL;
	}
	if (may_start(x, n == 3 ? args[2] : Py_None) != 0 ||
		convert_and_start(x, args[0], args[1]) != 0)
		return NULL;
	if (hooks_follow_requests)
		hooks_response(args[0], args[1]);
	return Py_NewRef(x->parts[PART_WRITE]);
}

PyObject *
write_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
	struct exchange *x = part_exchange(self);

	if (x == NULL)
		return NULL;
	if (PyVectorcall_NARGS(nargsf) != 1 ||
		(names != NULL && PyTuple_GET_SIZE(names))) {
		PyErr_SetString(PyExc_TypeError, "the call is write(data)");
		return NULL;
	}
	if (exchange_write(x, args[0], SEND_NOW) != 0)
		return NULL;
	Py_RETURN_NONE;
}

PyTypeObject start_response_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "alicorn.start_response",
	.tp_basicsize = sizeof(struct part),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL |
		Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.tp_vectorcall_offset = offsetof(struct part, call),
	.tp_call = PyVectorcall_Call,
};

PyTypeObject write_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "alicorn.write",
	.tp_basicsize = sizeof(struct part),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL |
		Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.tp_vectorcall_offset = offsetof(struct part, call),
	.tp_call = PyVectorcall_Call,
};
