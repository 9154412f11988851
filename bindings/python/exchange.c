#include "bindings/python/exchange.h"

#include <errno.h>

static const struct {
	PyTypeObject *type;
	vectorcallfunc call;
} kinds[N_PARTS] = {
	[PART_START_RESPONSE] = { &start_response_type, start_response_call },
	[PART_WRITE] = { &write_type, write_call },
	[PART_INPUT] = { &input_type, NULL },
	[PART_ERRORS] = { &errors_type, NULL },
};

/* Parts that no application holds any more, for the next request. */
static struct part *spare[N_PARTS];

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
	for (int kind = 0; kind < N_PARTS; kind++) {
		x->parts[kind] = spare[kind];
		spare[kind] = NULL;
	}
	for (int kind = 0; kind < N_PARTS; kind++) {
		if (x->parts[kind] == NULL && (x->parts[kind] = part_new(kind)) == NULL)
			return -1;
		x->parts[kind]->exchange = x;
	}
	return 0;
}

void
exchange_end(struct exchange *x)
{
	errors_flush(x);
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
}

struct exchange *
part_exchange(PyObject *self)
{
	struct exchange *x = ((struct part *)self)->exchange;

	if (x == NULL)
		PyErr_Format(PyExc_ValueError,
			"%s was used after the request had ended",
			Py_TYPE(self)->tp_name);
	return x;
}

/* Whether a call that sends n bytes may wait for the client, or copy for long. The
 * global interpreter lock is given up for these only: taking it back can cost the time
 * slice of another thread. */
static bool
may_wait(const struct exchange *x, size_t n)
{
	enum { LARGE = 128 * 1024 };

	return n >= LARGE || al_queued(x->req) > 0;
}

static int
check_sent(struct exchange *x, int result)
{
	if (result == 0)
		return 0;
	x->gone = errno == EPIPE || errno == ETIMEDOUT || errno == ECONNRESET;
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
	x->committed = true;
	return 0;
}

int
exchange_write(struct exchange *x, PyObject *item, bool now)
{
	PyThreadState *thread = NULL;
	int result;

	if (!PyBytes_Check(item)) {
		PyErr_Format(PyExc_TypeError,
			"the body of a response is made of bytes (PEP 3333), not of "
			"%.100s",
			Py_TYPE(item)->tp_name);
		return -1;
	}
	size_t n = (size_t)PyBytes_GET_SIZE(item);
	if (n == 0)
		return 0;
	if (commit(x) != 0)
		return -1;
	if (may_wait(x, n))
		thread = PyEval_SaveThread();
	result = al_write(x->req, PyBytes_AS_STRING(item), n);
	if (result == 0 && now)
		result = al_flush(x->req);
	if (thread != NULL) {
		int error = errno;
		PyEval_RestoreThread(thread);
		errno = error;
	}
	return check_sent(x, result);
}

int
exchange_sendfile(struct exchange *x, int fd, off_t offset)
{
	if (commit(x) != 0)
		return -1;
	return check_sent(x, al_sendfile(x->req, fd, offset, -1));
}
