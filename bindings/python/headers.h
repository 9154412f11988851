/*
 * Headers as WSGI has them, a list of tuples of two str, as the gateway takes them.
 */
#ifndef PYTHON_HEADERS_H
#define PYTHON_HEADERS_H

#include <Python.h>

#include "gateway/alicorn.h"

enum { HEADERS_FEW = 32 };

struct headers {
	struct al_header *all; /* point into the str; live as long as the list */
	size_t n;
	struct al_header few[HEADERS_FEW];
};

/* -1 with an exception. headers_release is owed also then. */
int headers_convert(struct headers *h, PyObject *list);
void headers_release(struct headers *h);

/* The bytes of a str as they go on the wire, with a NUL behind them; NULL with an
 * exception that says what it is of. */
const char *headers_latin1(PyObject *text, const char *what, size_t *n);

#endif
