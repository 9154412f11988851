#include "bindings/python/lease.h"

#include <unistd.h>

#include "bindings/python/log.h"

struct lease {
	struct al_request *req; /* NULL: it was given back */
	PyObject *proc; /* NULL: there is none, or it is not asked any more */
	bool follows_status; /* the proc knows when the connection has ended */
	unsigned holders; /* the socket, the gateway */
	pid_t pid; /* of the process that the connection was leased in */
};

static const char *const reasons[] = {
	[AL_REASON_STOP] = "stop",
	[AL_REASON_RELOAD] = "reload",
	[AL_REASON_RECYCLE] = "recycle",
	[AL_REASON_TIMEOUT] = "timeout",
};

static void
let_go(struct lease *lease)
{
	if (--lease->holders == 0)
		PyMem_RawFree(lease);
}

void
lease_finish(struct lease *lease)
{
	struct al_request *req = lease->req;

	lease->req = NULL;
	if (req != NULL && lease->pid == getpid())
		al_finish(req, AL_DONE, 0);
}

void
lease_leave(struct lease *lease)
{
	if (!lease->follows_status)
		lease_finish(lease);
	let_go(lease);
}

/* ---- What the gateway asks, in the main thread ---- */

/* None and true: it goes on. False and 0: it has ended. Other numbers are the exit
 * status of a process: it has failed. */
static int
judge(PyObject *answer)
{
	if (answer == NULL) {
		log_exception(NULL);
		return -1;
	}
	if (answer == Py_None)
		return 1;
	int is_true = PyObject_IsTrue(answer);
	if (is_true < 0)
		log_exception(NULL);
	if (is_true <= 0)
		return is_true;
	return PyLong_Check(answer) && !PyBool_Check(answer) ? -1 : 1;
}

/* The gateway finishes what has ended. What was given back meanwhile it knows of. */
static int
ask_status(void *arg)
{
	struct lease *lease = arg;
	PyGILState_STATE state = PyGILState_Ensure();
	PyObject *answer = PyObject_CallMethod(lease->proc, "status", NULL);
	int result = judge(answer);

	Py_XDECREF(answer);
	if (lease->req == NULL)
		result = 1;
	else if (result != 1)
		lease->req = NULL;
	PyGILState_Release(state);
	return result;
}

static void
terminate(void *arg, enum al_reason reason)
{
	struct lease *lease = arg;
	PyGILState_STATE state = PyGILState_Ensure();
	PyObject *nothing =
		PyObject_CallMethod(lease->proc, "terminate", "s", reasons[reason]);

	if (nothing == NULL)
		log_exception(NULL);
	Py_XDECREF(nothing);
	PyGILState_Release(state);
}

static void
ended(void *arg)
{
	struct lease *lease = arg;
	PyGILState_STATE state = PyGILState_Ensure();

	lease->req = NULL;
	Py_CLEAR(lease->proc);
	let_go(lease);
	PyGILState_Release(state);
}

static const struct al_proc with_status = {
	.status = ask_status, .terminate = terminate, .ended = ended
};

static const struct al_proc without_status = { .terminate = terminate, .ended = ended };

/* The gateway may cut the connection off, and then it is not to be given back. */
static const struct al_proc without_proc = { .ended = ended };

/* ---- alicorn.Proc ---- */

static PyObject *
proc_status(PyObject *self, PyObject *Py_UNUSED(none))
{
	(void)self;
	Py_RETURN_NONE;
}

static PyObject *
proc_terminate(PyObject *self, PyObject *reason)
{
	(void)self, (void)reason;
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
	{ "status", proc_status, METH_NOARGS, NULL },
	{ "terminate", proc_terminate, METH_O, NULL },
	{ NULL, NULL, 0, NULL },
};

PyTypeObject proc_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "alicorn.Proc",
	.tp_basicsize = sizeof(PyObject),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.tp_new = PyType_GenericNew,
	.tp_methods = methods,
};

/* Whether the class of this object has a status() of its own. */
static bool
has_status(PyObject *proc)
{
	PyObject *own = PyObject_GetAttrString((PyObject *)Py_TYPE(proc), "status");
	PyObject *base = PyObject_GetAttrString((PyObject *)&proc_type, "status");
	bool result = own != base;

	Py_XDECREF(own);
	Py_XDECREF(base);
	return result;
}

struct lease *
lease_new(struct al_request *req, PyObject *proc)
{
	struct lease *lease = PyMem_RawMalloc(sizeof(*lease));

	if (lease == NULL) {
		PyErr_NoMemory();
		return NULL;
	}
	*lease = (struct lease){ .req = req, .holders = 2, .pid = getpid() };
	lease->proc = Py_XNewRef(proc);
	lease->follows_status = proc != NULL && has_status(proc);
	al_detach(req,
		proc == NULL			? &without_proc
			: lease->follows_status ? &with_status
						: &without_status,
		lease);
	return lease;
}
