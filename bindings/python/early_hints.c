/*
 * wsgi.early_hints(headers): a 103 response before the application's own, as gunicorn
 * has it. Where it cannot be sent any more, or the client would not know it, nothing
 * happens.
 */
#include <errno.h>

#include "bindings/python/exchange.h"
#include "bindings/python/headers.h"

static int
inform(struct exchange *x, PyObject *list)
{
	struct headers headers;
	int result = headers_convert(&headers, list);

	if (result == 0 && !x->committed &&
		al_inform(x->req, "103 Early Hints", headers.all, headers.n) != 0 &&
		errno == EINVAL) {
		PyErr_SetString(
			PyExc_ValueError, "a header is not allowed in a response");
		result = -1;
	}
	headers_release(&headers);
	return result;
}

PyObject *
early_hints_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
	struct exchange *x = part_exchange(self);

	if (x == NULL)
		return NULL;
	if (PyVectorcall_NARGS(nargsf) != 1 ||
		(names != NULL && PyTuple_GET_SIZE(names))) {
		PyErr_SetString(PyExc_TypeError, "the call is early_hints(headers)");
		return NULL;
	}
	if (inform(x, args[0]) != 0)
		return NULL;
	Py_RETURN_NONE;
}

PyTypeObject early_hints_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "alicorn.early_hints",
	.tp_basicsize = sizeof(struct part),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL |
		Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.tp_vectorcall_offset = offsetof(struct part, call),
	.tp_call = PyVectorcall_Call,
};
