/*
 * wsgi.input: the body of the request, which the gateway has received already.
 */
#include "bindings/python/exchange.h"

#include <errno.h>

/* The optional number of read(), readline() and readlines(): absent, None and negative
 * ones stand for "no limit", which is `none`. -1 with an exception. */
static int
parse_limit(PyObject *const *args, Py_ssize_t n_args, uint64_t none, uint64_t *limit)
{
	*limit = none;
	if (n_args > 1) {
		PyErr_Format(PyExc_TypeError, "at most 1 argument, not %zd", n_args);
		return -1;
	}
	if (n_args == 0 || args[0] == Py_None)
		return 0;
	Py_ssize_t n = PyNumber_AsSsize_t(args[0], NULL);
	if (n == -1 && PyErr_Occurred())
		return -1;
	if (n >= 0)
		*limit = (uint64_t)n;
	return 0;
}

typedef ssize_t read_fn(struct al_request *req, void *to, size_t n);

/* Reads at most what is left of the body; -1 with an exception. Other threads run while
 * much is read from a file. */
static ssize_t
read_some(struct exchange *x, read_fn *read, char *to, size_t n)
{
	enum { MUCH = 256 * 1024 };
	bool gives_way = n >= MUCH && al_body_fd(x->req) != -1;
	PyThreadState *thread = gives_way ? PyEval_SaveThread() : NULL;
	ssize_t got = read(x->req, to, n);
	int error = errno;

	if (thread != NULL)
		PyEval_RestoreThread(thread);
	if (got >= 0) {
		x->body_left -= (uint64_t)got;
	} else {
		errno = error;
		PyErr_SetFromErrno(PyExc_OSError);
	}
	return got;
}

/* Reads into bytes that have room for more; cuts them to what was there. */
static int
read_into(struct exchange *x, read_fn *read, PyObject **bytes, Py_ssize_t used)
{
	Py_ssize_t size = PyBytes_GET_SIZE(*bytes);

	while (used < size) {
		ssize_t n = read_some(x, read, PyBytes_AS_STRING(*bytes) + used,
			(size_t)(size - used));
		if (n < 0) {
			Py_CLEAR(*bytes);
			return -1;
		}
		if (n == 0)
			break;
		used += n;
		if (read == al_readline && PyBytes_AS_STRING(*bytes)[used - 1] == '\n')
			break;
	}
	return used < size ? _PyBytes_Resize(bytes, used) : 0;
}

static PyObject *
input_read(PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
	struct exchange *x = part_exchange(self);
	uint64_t n;

	if (x == NULL || parse_limit(args, n_args, UINT64_MAX, &n) != 0)
		return NULL;
	if (n > x->body_left)
		n = x->body_left;
	if (n > PY_SSIZE_T_MAX)
		return PyErr_NoMemory();
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n);
	if (bytes != NULL)
		read_into(x, al_read, &bytes, 0);
	return bytes;
}

/* Whether a line goes on behind what was read of it. */
static bool
is_cut(const struct exchange *x, PyObject *line, uint64_t limit)
{
	Py_ssize_t n = PyBytes_GET_SIZE(line);

	return n > 0 && (uint64_t)n < limit && x->body_left > 0 &&
		PyBytes_AS_STRING(line)[n - 1] != '\n';
}

/* A line of at most `limit` bytes; b"" at the end. The memory for it doubles, so that a
 * long line is copied a few times only. */
static PyObject *
read_line(struct exchange *x, uint64_t limit)
{
	enum { FIRST_ROOM = 256 };
	uint64_t room = FIRST_ROOM;

	if (limit > x->body_left)
		limit = x->body_left;
	if (room > limit)
		room = limit;
	PyObject *line = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)room);
	if (line == NULL || read_into(x, al_readline, &line, 0) != 0)
		return NULL;
	while (is_cut(x, line, limit)) {
		Py_ssize_t used = PyBytes_GET_SIZE(line);
		room = room * 2 < limit ? room * 2 : limit;
		if (_PyBytes_Resize(&line, (Py_ssize_t)room) != 0 ||
			read_into(x, al_readline, &line, used) != 0)
			return NULL;
	}
	return line;
}

static PyObject *
input_readline(PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
	struct exchange *x = part_exchange(self);
	uint64_t limit;

	if (x == NULL || parse_limit(args, n_args, UINT64_MAX, &limit) != 0)
		return NULL;
	return read_line(x, limit);
}

/* Iterating gives lines; NULL without an exception at the end. */
static PyObject *
input_next(PyObject *self)
{
	struct exchange *x = part_exchange(self);
	PyObject *line = x != NULL ? read_line(x, UINT64_MAX) : NULL;

	if (line != NULL && PyBytes_GET_SIZE(line) == 0)
		Py_CLEAR(line);
	return line;
}

/* The hint is a number of bytes after which no further line is read; 0 is none. */
static PyObject *
input_readlines(PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
	uint64_t hint, total = 0;
	PyObject *lines, *line;

	if (parse_limit(args, n_args, 0, &hint) != 0 || (lines = PyList_New(0)) == NULL)
		return NULL;
	while ((hint == 0 || total < hint) && (line = input_next(self)) != NULL) {
		total += (uint64_t)PyBytes_GET_SIZE(line);
		int result = PyList_Append(lines, line);
		Py_DECREF(line);
		if (result != 0)
			break;
	}
	if (PyErr_Occurred())
		Py_CLEAR(lines);
	return lines;
}

/* What the classes of io ask for, such as TextIOWrapper around it. */
static PyObject *
input_readinto(PyObject *self, PyObject *to)
{
	struct exchange *x = part_exchange(self);
	Py_buffer room;

	if (x == NULL || PyObject_GetBuffer(to, &room, PyBUF_WRITABLE) != 0)
		return NULL;
	size_t n = (size_t)room.len;
	if (n > x->body_left)
		n = (size_t)x->body_left;
	ssize_t got = read_some(x, al_read, room.buf, n);
	PyBuffer_Release(&room);
	return got >= 0 ? PyLong_FromSsize_t(got) : NULL;
}

/* Of the file that a large body waits in; it is the gateway's, and its position means
 * nothing. */
static PyObject *
input_fileno(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct exchange *x = part_exchange(self);
	int fd = x != NULL ? al_body_fd(x->req) : -1;

	if (x == NULL)
		return NULL;
	if (fd != -1)
		return PyLong_FromLong(fd);
	PyObject *io = PyImport_ImportModule("io");
	PyObject *type =
		io != NULL ? PyObject_GetAttrString(io, "UnsupportedOperation") : NULL;
	if (type != NULL)
		PyErr_SetString(type, "this body is in memory, not in a file");
	Py_XDECREF(type);
	Py_XDECREF(io);
	return NULL;
}

/* The body is the gateway's, so there is nothing to close: it is read no further. */
static PyObject *
input_close(PyObject *self, PyObject *Py_UNUSED(none))
{
	((struct part *)self)->exchange = NULL;
	Py_RETURN_NONE;
}

static PyGetSetDef getters[] = {
	{ "closed", part_closed, NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyMethodDef methods[] = {
	{ "read", (PyCFunction)(void (*)(void))input_read, METH_FASTCALL, NULL },
	{ "readline", (PyCFunction)(void (*)(void))input_readline, METH_FASTCALL,
		NULL },
	{ "readlines", (PyCFunction)(void (*)(void))input_readlines, METH_FASTCALL,
		NULL },
	{ "readinto", input_readinto, METH_O, NULL },
	{ "fileno", input_fileno, METH_NOARGS, NULL },
	{ "close", input_close, METH_NOARGS, NULL },
	{ "readable", part_true, METH_NOARGS, NULL },
	{ "writable", part_false, METH_NOARGS, NULL },
	{ "seekable", part_false, METH_NOARGS, NULL },
	{ "isatty", part_false, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

PyTypeObject input_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "alicorn.input",
	.tp_basicsize = sizeof(struct part),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.tp_iter = PyObject_SelfIter,
	.tp_iternext = input_next,
	.tp_methods = methods,
	.tp_getset = getters,
};
