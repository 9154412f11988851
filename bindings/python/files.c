#include "bindings/python/files.h"

#include "gateway/alicorn.h"

/* Takes the reference over; NULL, or what is no text, names nothing. */
static void
name(PyObject *file)
{
	PyObject *path = file != NULL && PyUnicode_Check(file)
		? PyUnicode_EncodeFSDefault(file)
		: NULL;

	if (path != NULL)
		al_file(PyBytes_AS_STRING(path));
	Py_XDECREF(path);
	Py_XDECREF(file);
	PyErr_Clear();
}

/* To ask a module for its file may run code of its own, which loads others: hence the
 * copy. */
void
files_name_modules(void)
{
	PyObject *modules = PyDict_Values(PyImport_GetModuleDict());

	for (Py_ssize_t i = 0; modules != NULL && i < PyList_GET_SIZE(modules); i++)
		name(PyObject_GetAttrString(PyList_GET_ITEM(modules, i), "__file__"));
	Py_XDECREF(modules);
	PyErr_Clear();
}

void
files_name_traceback(PyObject *exception)
{
	PyObject *at = PyException_GetTraceback(exception);

	name(PyObject_GetAttrString(exception, "filename")); /* of a SyntaxError */
	while (at != NULL && at != Py_None) {
		PyObject *frame = PyObject_GetAttrString(at, "tb_frame");
		PyObject *code =
			frame != NULL ? PyObject_GetAttrString(frame, "f_code") : NULL;
		PyObject *next = PyObject_GetAttrString(at, "tb_next");
		if (code != NULL)
			name(PyObject_GetAttrString(code, "co_filename"));
		Py_XDECREF(frame);
		Py_XDECREF(code);
		Py_SETREF(at, next);
	}
	Py_XDECREF(at);
	PyErr_Clear();
}
