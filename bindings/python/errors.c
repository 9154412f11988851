/*
 * wsgi.errors: a text stream whose lines go to the log.
 */
#include "bindings/python/exchange.h"

#include <string.h>

void
errors_flush(struct exchange *x)
{
	if (x->line_len == 0)
		return;
	al_log(x->req, AL_LOG_ERROR, "%.*s", (int)x->line_len, x->line);
	x->line_len = 0;
}

/* Keeps the beginning of a line. One that is too long for the room is broken. */
static void
keep(struct exchange *x, const char *text, size_t n)
{
	while (n > 0) {
		if (x->line_len == ERRORS_LINE_MAX)
			errors_flush(x);
		size_t room = ERRORS_LINE_MAX - x->line_len;
		size_t part = n < room ? n : room;
		memcpy(x->line + x->line_len, text, part);
		x->line_len += part;
		text += part;
		n -= part;
	}
}

static void
write_lines(struct exchange *x, const char *text, size_t n)
{
	const char *end;

	while ((end = memchr(text, '\n', n)) != NULL) {
		keep(x, text, (size_t)(end - text));
		errors_flush(x);
		n -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	keep(x, text, n);
}

static PyObject *
errors_write(PyObject *self, PyObject *text)
{
	struct exchange *x = part_exchange(self);

	if (x == NULL)
		return NULL;
	if (!PyUnicode_Check(text))
		return PyErr_Format(PyExc_TypeError,
			"wsgi.errors takes str, not %.100s", Py_TYPE(text)->tp_name);
	PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
	if (bytes == NULL)
		return NULL;
	write_lines(x, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
	Py_DECREF(bytes);
	return PyLong_FromSsize_t(PyUnicode_GET_LENGTH(text));
}

static PyObject *
errors_writelines(PyObject *self, PyObject *lines)
{
	PyObject *each = PyObject_GetIter(lines), *line;

	if (each == NULL)
		return NULL;
	while ((line = PyIter_Next(each)) != NULL) {
		PyObject *written = errors_write(self, line);
		Py_DECREF(line);
		Py_XDECREF(written);
		if (written == NULL)
			break;
	}
	Py_DECREF(each);
	if (PyErr_Occurred())
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
errors_flush_method(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct exchange *x = part_exchange(self);

	if (x == NULL)
		return NULL;
	errors_flush(x);
	Py_RETURN_NONE;
}

static PyObject *
get_text(PyObject *Py_UNUSED(self), void *text)
{
	return PyUnicode_FromString(text);
}

/* What programs that print, to anything, look at. */
static PyGetSetDef getters[] = {
	{ "encoding", get_text, NULL, NULL, (char[]){ "utf-8" } },
	{ "errors", get_text, NULL, NULL, (char[]){ "backslashreplace" } },
	{ "closed", part_closed, NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyMethodDef methods[] = {
	{ "readable", part_false, METH_NOARGS, NULL },
	{ "writable", part_true, METH_NOARGS, NULL },
	{ "isatty", part_false, METH_NOARGS, NULL },
	{ "write", errors_write, METH_O, NULL },
	{ "writelines", errors_writelines, METH_O, NULL },
	{ "flush", errors_flush_method, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

PyTypeObject errors_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "alicorn.errors",
	.tp_basicsize = sizeof(struct part),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.tp_methods = methods,
	.tp_getset = getters,
};
