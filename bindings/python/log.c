#include "bindings/python/log.h"

#include <string.h>

void
log_lines(struct al_request *req, enum al_level level, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		al_log(req, level, "%.*s", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

/* The text as Python itself would print it, or NULL with an exception. */
static PyObject *
format_traceback(PyObject *exception)
{
	PyObject *module = PyImport_ImportModule("traceback");
	PyObject *parts = NULL, *none = PyUnicode_New(0, 0), *text = NULL,
		 *bytes = NULL;

	if (module != NULL && none != NULL)
		parts = PyObject_CallMethod(module, "format_exception", "O", exception);
	if (parts != NULL)
		text = PyUnicode_Join(none, parts);
	if (text != NULL)
		bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
	Py_XDECREF(module);
	Py_XDECREF(none);
	Py_XDECREF(parts);
	Py_XDECREF(text);
	return bytes;
}

void
log_traceback(struct al_request *req, PyObject *exception)
{
	PyObject *text = format_traceback(exception);

	if (text != NULL) {
		log_lines(req, AL_LOG_ERROR, PyBytes_AS_STRING(text));
		Py_DECREF(text);
	} else {
		PyErr_Clear();
		al_log(req, AL_LOG_ERROR, "%s, whose traceback cannot be formatted",
			Py_TYPE(exception)->tp_name);
	}
}

void
log_exception(struct al_request *req)
{
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	PyErr_NormalizeException(&type, &value, &traceback);
	if (traceback != NULL)
		PyException_SetTraceback(value, traceback);
	log_traceback(req, value);
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(traceback);
}
