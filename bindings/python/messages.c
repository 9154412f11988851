#include "bindings/python/messages.h"

#include <errno.h>
#include <stdbool.h>

#include "bindings/python/lock.h"
#include "bindings/python/log.h"
#include "gateway/alicorn.h"

static PyObject *receiver; /* NULL: nobody listens */

/* A number of 32 bits, or -1 with an exception. */
static long long
parse_type(PyObject *object)
{
	long long type = PyLong_AsLongLong(object);

	if (PyErr_Occurred() != NULL || (type >= 0 && type <= UINT32_MAX))
		return PyErr_Occurred() != NULL ? -1 : type;
	PyErr_SetString(PyExc_ValueError, "the type of a message is of 32 bits");
	return -1;
}

/* The descriptor of a number, or of an object with fileno(); -1 is none. */
static bool
parse_fd(PyObject *object, int *fd)
{
	*fd = -1;
	if (object == NULL || object == Py_None)
		return true;
	if (PyLong_Check(object) && PyLong_AsLong(object) == -1)
		return PyErr_Occurred() == NULL;
	*fd = PyObject_AsFileDescriptor(object);
	return *fd != -1;
}

PyObject *
messages_send(PyObject *module, PyObject *args, PyObject *names)
{
	char *keywords[] = { (char[]){ "type" }, (char[]){ "data" }, (char[]){ "fd" },
		(char[]){ "to" }, NULL };
	PyObject *type_number, *fd_object = NULL;
	Py_buffer data;
	int to = AL_TO_POOL, fd;

	(void)module;
	if (!PyArg_ParseTupleAndKeywords(args, names, "Oy*|Oi:send", keywords,
		    &type_number, &data, &fd_object, &to))
		return NULL;
	long long type = parse_type(type_number);
	int result = -1;
	if (type >= 0 && parse_fd(fd_object, &fd)) {
		if (to == AL_TO_POOL || to == AL_TO_ARBITER)
			result = al_send((enum al_to)to, (uint32_t)type, data.buf,
				(size_t)data.len, fd);
		else
			errno = EINVAL;
		if (result != 0)
			PyErr_SetFromErrno(PyExc_OSError);
	}
	PyBuffer_Release(&data);
	if (result != 0)
		return NULL;
	Py_RETURN_NONE;
}

/* The descriptor is the function's; it is not closed here even when that raises. */
static void
receive(void *arg, pid_t from, uint32_t type, const void *data, size_t n, int fd)
{
	(void)arg;
	lock_take();
	PyObject *function = Py_XNewRef(receiver), *nothing = NULL;
	if (function != NULL) {
		nothing = PyObject_CallFunction(function, "INil", (unsigned int)type,
			PyBytes_FromStringAndSize(data, (Py_ssize_t)n), fd, (long)from);
		if (nothing == NULL)
			log_exception(NULL);
	}
	Py_XDECREF(nothing);
	Py_XDECREF(function);
	lock_give();
}

PyObject *
messages_follow(PyObject *module, PyObject *function)
{
	(void)module;
	if (function == Py_None) {
		al_on_message(NULL, NULL);
		Py_CLEAR(receiver);
	} else if (PyCallable_Check(function)) {
		Py_XSETREF(receiver, Py_NewRef(function));
		al_on_message(receive, NULL);
	} else {
		return PyErr_Format(PyExc_TypeError, "%.100s is not callable",
			Py_TYPE(function)->tp_name);
	}
	Py_RETURN_NONE;
}

void
messages_release(void)
{
	if (receiver != NULL)
		al_on_message(NULL, NULL);
	Py_CLEAR(receiver);
}
