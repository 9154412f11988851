#include "bindings/python/headers.h"

/* The bytes of a str as they go on the wire, with a NUL behind them: a str whose
 * characters all fit in Latin-1 is stored that way. */
const char *
headers_latin1(PyObject *text, const char *what, size_t *n)
{
	if (!PyUnicode_Check(text)) {
		PyErr_Format(PyExc_TypeError, "%s must be a str, not %.100s", what,
			Py_TYPE(text)->tp_name);
		return NULL;
	}
	if (PyUnicode_READY(text) != 0)
		return NULL;
	if (PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) {
		PyErr_Format(PyExc_ValueError,
			"%s holds a character that is not in Latin-1: %.200R", what,
			text);
		return NULL;
	}
	*n = (size_t)PyUnicode_GET_LENGTH(text);
	return (const char *)PyUnicode_1BYTE_DATA(text);
}

static int
convert_header(struct al_header *h, PyObject *pair)
{
	if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
		PyErr_Format(PyExc_TypeError,
			"a header must be a tuple of a name and a value, not %.200R",
			pair);
		return -1;
	}
	h->name = headers_latin1(
		PyTuple_GET_ITEM(pair, 0), "the name of a header", &h->name_len);
	if (h->name == NULL)
		return -1;
	h->value = headers_latin1(
		PyTuple_GET_ITEM(pair, 1), "the value of a header", &h->value_len);
	return h->value != NULL ? 0 : -1;
}

int
headers_convert(struct headers *h, PyObject *list)
{
	int result = 0;

	h->all = h->few;
	h->n = 0;
	if (!PyList_Check(list)) {
		PyErr_Format(PyExc_TypeError, "the headers must be a list, not %.100s",
			Py_TYPE(list)->tp_name);
		return -1;
	}
	h->n = (size_t)PyList_GET_SIZE(list);
	if (h->n > HEADERS_FEW &&
		(h->all = PyMem_New(struct al_header, h->n)) == NULL) {
		PyErr_NoMemory();
		return -1;
	}
	for (size_t i = 0; i < h->n && result == 0; i++)
		result = convert_header(
			&h->all[i], PyList_GET_ITEM(list, (Py_ssize_t)i));
	return result;
}

void
headers_release(struct headers *h)
{
	if (h->all != h->few)
		PyMem_Free(h->all);
}
