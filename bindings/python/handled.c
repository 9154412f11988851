#include "bindings/python/handled.h"

/* Objects of the same meaning, which an application may have from elsewhere. If it has,
 * their module is loaded already. */
static struct {
	const char *module;
	const char *name;
	PyObject *key; /* the module, in the list of all that are loaded */
} others[] = {
	{ "gunicorn.workers.base_async", "ALREADY_HANDLED", NULL },
	{ "eventlet.wsgi", "ALREADY_HANDLED", NULL },
};

enum { OTHERS = sizeof(others) / sizeof(others[0]) };

static PyObject *
repr(PyObject *self)
{
	(void)self;
	return PyUnicode_FromString("alicorn.ALREADY_HANDLED");
}

/* Middleware may iterate it, and finds nothing. */
static PyObject *
iterate(PyObject *self)
{
	PyObject *nothing = PyTuple_New(0);
	PyObject *each = nothing != NULL ? PyObject_GetIter(nothing) : NULL;

	(void)self;
	Py_XDECREF(nothing);
	return each;
}

static PyTypeObject type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "alicorn.AlreadyHandled",
	.tp_basicsize = sizeof(PyObject),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.tp_repr = repr,
	.tp_iter = iterate,
};

PyObject already_handled = { .ob_refcnt = 1, .ob_type = &type };

int
handled_init(void)
{
	for (size_t i = 0; i < OTHERS; i++)
		if ((others[i].key = PyUnicode_InternFromString(others[i].module)) ==
			NULL)
			return -1;
	return PyType_Ready(&type);
}

void
handled_release(void)
{
	for (size_t i = 0; i < OTHERS; i++)
		Py_CLEAR(others[i].key);
}

static bool
is_attribute(PyObject *module, const char *name, PyObject *object)
{
	PyObject *value = PyObject_GetAttrString(module, name);
	bool result = value == object;

	Py_XDECREF(value);
	PyErr_Clear();
	return result;
}

bool
handled_is(PyObject *result)
{
	PyObject *modules = PyImport_GetModuleDict();

	if (result == &already_handled)
		return true;
	for (size_t i = 0; i < OTHERS; i++) {
		PyObject *module = PyDict_GetItemWithError(modules, others[i].key);
		if (module != NULL && is_attribute(module, others[i].name, result))
			return true;
	}
	return false;
}
