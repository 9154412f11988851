#include "bindings/python/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "bindings/python/exchange.h"
#include "bindings/python/lease.h"

/* Seconds that an operation waits, the most that a socket of Python can: the descriptor
 * stays non-blocking, as the gateway needs it, unless the application leaves with it.
 */
enum { PATIENCE = INT32_MAX / 1000 };

/* What stands behind the members of socket.socket. All zero in what an application
 * makes itself, such as by dup(): an ordinary socket. */
struct connection {
	struct exchange *exchange; /* NULL: the request has ended */
	struct lease *lease; /* since ALREADY_HANDLED was returned, or NULL */
	PyObject *proc; /* that will supervise it, or NULL */
	PyObject *unread; /* what was received behind the request */
	int fd; /* the gateway's descriptor of it; -1: the socket is not open yet */
	unsigned long opener; /* the thread that is opening it; 0: none */
	bool closed;
};

static PyTypeObject *type; /* ours, */
static PyTypeObject *base; /* socket.socket, in Python; its own base is in C */
static PyObject *no_arguments;
static PyObject *spare; /* of no request, never opened, for the next one */

static struct connection *
connection_of(PyObject *self)
{
	return (struct connection *)(void *)((char *)self + base->tp_basicsize);
}

/* ---- To open it ---- */

/* Takes the descriptor over; -1 with an exception. */
static int
init_socket(PyObject *self, int fd)
{
	PyObject *args = Py_BuildValue("(iiii)", -1, -1, -1, fd), *nothing = NULL;
	int result = args != NULL ? base->tp_init(self, args, NULL) : -1;

	if (result == 0)
		nothing = PyObject_CallMethod(self, "settimeout", "i", PATIENCE);
	else
		close(fd);
	Py_XDECREF(args);
	Py_XDECREF(nothing);
	return nothing != NULL ? 0 : -1;
}

static void
refuse(int error)
{
	PyObject *value = error == EALREADY
		? Py_BuildValue("(is)", error, "a response has begun")
		: Py_BuildValue("(is)", error, strerror(error));

	if (value != NULL)
		PyErr_SetObject(PyExc_OSError, value);
	Py_XDECREF(value);
}

/* Python code runs while the socket is opened, and so may other threads that have it.
 */
static void
wait_for_opener(const struct connection *c)
{
	while (c->opener != 0 && c->opener != PyThread_get_thread_ident()) {
		Py_BEGIN_ALLOW_THREADS;
		sched_yield();
		Py_END_ALLOW_THREADS;
	}
}

/* With a descriptor of its own: the gateway keeps the other one. */
static int
open_socket(PyObject *self, struct connection *c)
{
	const void *unread;
	size_t n;
	int fd = al_socket(c->exchange->req, &unread, &n);
	int own = fd != -1 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	c->fd = fd;
	if (own == -1) {
		refuse(errno);
		return -1;
	}
	c->unread = PyBytes_FromStringAndSize(unread, (Py_ssize_t)n);
	if (c->unread == NULL) {
		close(own);
		return -1;
	}
	c->opener = PyThread_get_thread_ident();
	int result = init_socket(self, own);
	c->opener = 0;
	return result;
}

/* What begins with an underscore is asked for by those who only look at what it is. */
static bool
is_special(PyObject *name)
{
	return PyUnicode_GET_LENGTH(name) == 0 || PyUnicode_READ_CHAR(name, 0) == '_';
}

static PyObject *
get_attribute(PyObject *self, PyObject *name)
{
	struct connection *c = connection_of(self);

	if (c->exchange != NULL && c->fd == -1 && !is_special(name) &&
		open_socket(self, c) != 0)
		return NULL;
	wait_for_opener(c);
	return PyObject_GenericGetAttr(self, name);
}

/* ---- To end it ---- */

/* close() of the type in C, which does not ask who else reads from the socket. */
static PyObject *
close_socket(PyObject *self)
{
	return PyObject_CallMethod((PyObject *)base->tp_base, "close", "O", self);
}

/* socket.socket calls it when its close() was called, and that of all files that were
 * made of it. */
static PyObject *
real_close(PyObject *self, PyObject *Py_UNUSED(arguments))
{
	struct connection *c = connection_of(self);
	PyObject *nothing = close_socket(self);

	c->closed = true;
	if (c->lease != NULL)
		lease_finish(c->lease);
	return nothing;
}

static void
finalize(PyObject *self)
{
	struct connection *c = connection_of(self);
	PyObject *error, *value, *traceback;

	PyErr_Fetch(&error, &value, &traceback);
	if (c->fd != -1)
		Py_XDECREF(close_socket(self));
	Py_CLEAR(c->unread);
	Py_CLEAR(c->proc);
	if (c->lease != NULL)
		lease_leave(c->lease);
	c->lease = NULL;
	PyErr_Restore(error, value, traceback);
}

/* ---- The type ---- */

static PyObject *
get_unread(PyObject *self, void *Py_UNUSED(closure))
{
	PyObject *unread = connection_of(self)->unread;

	return unread != NULL ? Py_NewRef(unread) : PyBytes_FromStringAndSize(NULL, 0);
}

/* To look at an environ opens nothing. */
static PyObject *
repr(PyObject *self)
{
	const struct connection *c = connection_of(self);

	if (c->fd != -1)
		return base->tp_repr(self);
	return PyUnicode_FromFormat("<alicorn.Socket, %s>",
		c->exchange != NULL ? "not open yet" : "of a request that has ended");
}

static PyMethodDef methods[] = {
	{ "_real_close", real_close, METH_VARARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef getters[] = {
	{ "unread", get_unread, NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static int
make_type(void)
{
	PyType_Slot slots[] = {
		{ Py_tp_getattro, get_attribute },
		{ Py_tp_repr, repr },
		{ Py_tp_finalize, finalize },
		{ Py_tp_methods, methods },
		{ Py_tp_getset, getters },
		{ 0, NULL },
	};
	PyType_Spec spec = {
		.name = "alicorn.Socket",
		.basicsize = (int)(base->tp_basicsize +
			(Py_ssize_t)sizeof(struct connection)),
		.flags = Py_TPFLAGS_DEFAULT,
		.slots = slots,
	};

	type = (PyTypeObject *)PyType_FromSpecWithBases(&spec, (PyObject *)base);
	return type != NULL ? 0 : -1;
}

int
connection_init(void)
{
	PyObject *module = PyImport_ImportModule("socket");

	if (module != NULL)
		base = (PyTypeObject *)PyObject_GetAttrString(module, "socket");
	Py_XDECREF(module);
	no_arguments = PyTuple_New(0);
	if (base == NULL || no_arguments == NULL || PyType_Ready(&proc_type) < 0)
		return -1;
	return make_type();
}

PyTypeObject *
connection_type(void)
{
	return type;
}

void
connection_release(void)
{
	Py_CLEAR(spare);
	Py_CLEAR(no_arguments);
}

/* ---- A request ---- */

PyObject *
connection_begin(struct exchange *x)
{
	PyObject *self = spare;

	spare = NULL;
	if (self == NULL && (self = type->tp_new(type, no_arguments, NULL)) == NULL)
		return NULL;
	*connection_of(self) = (struct connection){ .exchange = x, .fd = -1 };
	return self;
}

void
connection_restore(PyObject *self)
{
	const struct connection *c = connection_of(self);
	int flags = c->fd != -1 ? fcntl(c->fd, F_GETFL) : -1;

	if (flags != -1 && (flags & O_NONBLOCK) == 0)
		(void)fcntl(c->fd, F_SETFL, flags | O_NONBLOCK);
}

/* The application has looked at the connection, but answered as usual: it is the
 * gateway's alone again. */
static void
give_back(PyObject *self)
{
	PyObject *nothing = close_socket(self);

	if (nothing == NULL)
		PyErr_Clear();
	Py_XDECREF(nothing);
	connection_restore(self);
}

/* From now on it waits as any other socket does, unless the application has said how.
 * The descriptor first: a thread may be using it. */
static void
make_patient(PyObject *self, int fd)
{
	PyObject *timeout = PyObject_CallMethod(self, "gettimeout", NULL);
	int flags = fcntl(fd, F_GETFL);

	if (timeout != NULL && PyFloat_Check(timeout) &&
		PyFloat_AS_DOUBLE(timeout) == PATIENCE && flags != -1) {
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
		Py_XDECREF(PyObject_CallMethod(self, "settimeout", "O", Py_None));
	}
	Py_XDECREF(timeout);
	PyErr_Clear();
}

static void
hand_over(PyObject *self, struct connection *c, struct al_request *req)
{
	if (!c->closed)
		make_patient(self, c->fd);
	c->lease = lease_new(req, c->proc);
	Py_CLEAR(c->proc);
	if (c->lease == NULL) {
		PyErr_Clear();
		al_finish(req, AL_DONE, 0);
	} else if (c->closed) {
		lease_finish(c->lease);
	}
}

void
connection_end(PyObject *self, bool already_handled)
{
	struct connection *c = connection_of(self);
	struct al_request *req = c->exchange->req;

	/* A thread may have it that has not come to use it yet. */
	if (already_handled && c->fd == -1 && Py_REFCNT(self) > 1 &&
		open_socket(self, c) != 0)
		PyErr_Clear();
	wait_for_opener(c);
	c->exchange = NULL;
	if (already_handled && c->fd != -1)
		hand_over(self, c, req);
	else if (c->fd != -1)
		give_back(self);
	else if (Py_REFCNT(self) == 1 && spare == NULL) {
		Py_CLEAR(c->proc);
		spare = self;
		return;
	}
	Py_DECREF(self);
}

PyObject *
connection_detach(PyObject *module, PyObject *args)
{
	PyObject *variables, *proc;

	(void)module;
	if (!PyArg_ParseTuple(
		    args, "O!O!:detach", &PyDict_Type, &variables, &proc_type, &proc))
		return NULL;
	PyObject *self = PyDict_GetItemString(variables, "alicorn.socket");
	if (self == NULL || !Py_IS_TYPE(self, type) ||
		connection_of(self)->exchange == NULL) {
		PyErr_SetString(PyExc_ValueError,
			"this is not the environ of a request that goes on");
		return NULL;
	}
	if (connection_of(self)->fd == -1 &&
		open_socket(self, connection_of(self)) != 0)
		return NULL;
	Py_XSETREF(connection_of(self)->proc, Py_NewRef(proc));
	Py_RETURN_NONE;
}
