#include "bindings/python/exchange.h"

#include <errno.h>

#include "bindings/python/connection.h"

static const struct {
	PyTypeObject *type;
	vectorcallfunc call;
} kinds[N_PARTS] = {
	[PART_START_RESPONSE] = { &start_response_type, start_response_call },
	[PART_WRITE] = { &write_type, write_call },
	[PART_INPUT] = { &input_type, NULL },
	[PART_ERRORS] = { &errors_type, NULL },
	[PART_EARLY_HINTS] = { &early_hints_type, early_hints_call },
};

/* Parts that no application holds any more, for the next request. */
static struct part *spare[N_PARTS];

static _Thread_local struct exchange *current
	__attribute__((tls_model("initial-exec")));

int
parts_init(void)
{
	for (int kind = 0; kind < N_PARTS; kind++)
		if (PyType_Ready(kinds[kind].type) < 0)
			return -1;
	return 0;
}

void
parts_release(void)
{
	for (int kind = 0; kind < N_PARTS; kind++)
		Py_CLEAR(spare[kind]);
}

static struct part *
part_new(int kind)
{
	struct part *part = PyObject_New(struct part, kinds[kind].type);

	if (part != NULL)
		part->call = kinds[kind].call;
	return part;
}

int
exchange_begin(struct exchange *x, struct al_request *req)
{
	x->req = req;
	x->body_left = al_body_length(req);
	x->started = x->committed = x->gone = false;
	x->line_len = 0;
	current = x;
	for (int kind = 0; kind < N_PARTS; kind++) {
		x->parts[kind] = spare[kind];
		spare[kind] = NULL;
	}
	if ((x->connection = connection_begin(x)) == NULL)
		return -1;
	for (int kind = 0; kind < N_PARTS; kind++) {
		if (x->parts[kind] == NULL && (x->parts[kind] = part_new(kind)) == NULL)
			return -1;
		x->parts[kind]->exchange = x;
	}
	return 0;
}

void
exchange_end(struct exchange *x, enum al_result result)
{
	errors_flush(x);
	current = NULL;
	for (int kind = 0; kind < N_PARTS; kind++) {
		struct part *part = x->parts[kind];
		if (part == NULL)
			continue;
		part->exchange = NULL;
		if (Py_REFCNT(part) == 1 && spare[kind] == NULL)
			spare[kind] = part;
		else
			Py_DECREF(part);
	}
	if (x->connection != NULL)
		connection_end(x->connection, result == AL_ALREADY_HANDLED);
}

struct al_request *
exchange_current(void)
{
	return current != NULL ? current->req : NULL;
}

struct exchange *
part_exchange(PyObject *self)
{
	struct exchange *x = ((struct part *)self)->exchange;

	if (x == NULL)
		PyErr_Format(PyExc_ValueError,
			"%s was used after the request had ended, or it was closed",
			Py_TYPE(self)->tp_name);
	return x;
}

PyObject *
part_true(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
	Py_RETURN_TRUE;
}

PyObject *
part_false(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(none))
{
	Py_RETURN_FALSE;
}

PyObject *
part_closed(PyObject *self, void *Py_UNUSED(closure))
{
	return PyBool_FromLong(((struct part *)self)->exchange == NULL);
}

/* Whether to send n bytes may mean to wait for the client, or to copy for long. The
 * global interpreter lock is given up for these only: taking it back can cost the time
 * slice of another thread. */
static bool
may_wait(const struct exchange *x, size_t n, bool is_first)
{
	return n >= al_queue_limit() / 2 || (!is_first && al_queued(x->req) > 0);
}

static int
check_sent(struct exchange *x, int result, int error)
{
	if (result == 0)
		return 0;
	x->gone = error == EPIPE || error == ETIMEDOUT || error == ECONNRESET;
	errno = error;
	PyErr_SetFromErrno(PyExc_OSError);
	return -1;
}

static int
commit(struct exchange *x)
{
	if (!x->started) {
		PyErr_SetString(PyExc_RuntimeError,
			"start_response was not called before the body began");
		return -1;
	}
	if (!x->committed)
		connection_restore(x->connection);
	x->committed = true;
	return 0;
}

static int
put(struct al_request *req, PyObject *item, enum sending when)
{
	const char *data = PyBytes_AS_STRING(item);
	size_t n = (size_t)PyBytes_GET_SIZE(item);

	if (when == SEND_LAST)
		return al_write_last(req, data, n);
	if (al_write(req, data, n) != 0)
		return -1;
	return when == SEND_NOW ? al_flush(req) : 0;
}

int
exchange_write(struct exchange *x, PyObject *item, enum sending when)
{
	PyThreadState *thread = NULL;
	bool is_first = !x->committed;

	if (!PyBytes_Check(item)) {
		PyErr_Format(PyExc_TypeError,
			"the body of a response is made of bytes (PEP 3333), not of "
			"%.100s",
			Py_TYPE(item)->tp_name);
		return -1;
	}
	if (PyBytes_GET_SIZE(item) == 0)
		return 0;
	if (commit(x) != 0)
		return -1;
	if (may_wait(x, (size_t)PyBytes_GET_SIZE(item), is_first))
		thread = PyEval_SaveThread();
	int result = put(x->req, item, when), error = errno;
	if (thread != NULL)
		PyEval_RestoreThread(thread);
	return check_sent(x, result, error);
}

int
exchange_sendfile(struct exchange *x, int fd, off_t offset)
{
	if (commit(x) != 0)
		return -1;
	PyThreadState *thread = PyEval_SaveThread();
	int result = al_sendfile(x->req, fd, offset, -1), error = errno;
	PyEval_RestoreThread(thread);
	return check_sent(x, result, error);
}
