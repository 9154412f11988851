/*
 * The Python binding: WSGI applications (PEP 3333) in an embedded CPython.
 *
 * One process has one interpreter and one application. The interpreter's lock is held
 * while a request is answered and given up between requests, so that the application's
 * own threads run then.
 */
#include <Python.h>

#include "bindings/python/environ.h"
#include "bindings/python/exchange.h"
#include "bindings/python/file_wrapper.h"
#include "bindings/python/files.h"
#include "bindings/python/fork.h"
#include "bindings/python/hooks.h"
#include "bindings/python/load.h"
#include "bindings/python/log.h"
#include "bindings/python/send.h"
#include "gateway/alicorn.h"

/* Of the thread that calls the binding, while it does not hold the lock; NULL: it is in
 * Python. */
static PyThreadState *thread;

static void
enter(void)
{
	PyThreadState *state = thread;

	thread = NULL;
	PyEval_RestoreThread(state);
}

static void
leave(void)
{
	thread = PyEval_SaveThread();
}

static const char *
load(const char *target, void **app)
{
	const char *error = interpreter_start();
	PyObject *callable = NULL;

	if (error != NULL)
		return error;
	if (parts_init() != 0 || PyType_Ready(&file_wrapper_type) != 0 ||
		environ_init() != 0)
		error = "cannot prepare Python: memory is out";
	if (error == NULL)
		error = application_load(target, &callable);
	if (error != NULL) {
		files_name_modules();
		Py_FinalizeEx();
		return error;
	}
	hooks_init();
	*app = callable;
	leave();
	return NULL;
}

/* Logs the current exception, if there is one. That the client has gone is no news. */
static void
report(const struct exchange *x)
{
	if (PyErr_Occurred() == NULL)
		return;
	if (x->gone && PyErr_ExceptionMatches(PyExc_OSError))
		PyErr_Clear();
	else
		log_exception(x->req);
}

/* Calls the application; a new reference to what it returns, or NULL with an exception.
 */
static PyObject *
call(PyObject *app, const struct exchange *x)
{
	PyObject *env = environ_new(x);

	if (env == NULL)
		return NULL;
	if (hooks_follow_requests)
		hooks_request(env);
	/* The first place is free for the callee's use. */
	PyObject *args[] = { NULL, env, &x->parts[PART_START_RESPONSE]->base };
	PyObject *result = PyObject_Vectorcall(
		app, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
	Py_DECREF(env);
	return result;
}

/* Whatever happens, close() of the result is called once. */
static enum al_result
answer(PyObject *app, struct exchange *x)
{
	PyObject *result = call(app, x);
	int sent = result != NULL ? send_result(x, result) : -1;

	report(x);
	if (result != NULL) {
		if (close_result(result) != 0)
			report(x);
		Py_DECREF(result);
	}
	return sent == 0 ? AL_DONE : AL_ERROR;
}

static int
handle(void *app, struct al_request *req)
{
	struct exchange x;
	enum al_result result = AL_ERROR;

	enter();
	if (exchange_begin(&x, req) == 0)
		result = answer(app, &x);
	else
		report(&x);
	exchange_end(&x);
	leave();
	return result;
}

static void
call_hook(enum al_hook hook)
{
	enter();
	hooks_call(hook);
	leave();
}

/* Between BEFORE and AFTER the lock is held. */
static void
hook(void *app, enum al_hook hook, struct al_request *req)
{
	(void)app;
	switch (hook) {
	case AL_WORKER_INIT:
	case AL_WORKER_EXIT:
		call_hook(hook);
		break;
	case AL_PRE_REQUEST: /* that of Python has the environ: see call() */
		break;
	case AL_POST_REQUEST:
		if (!hooks_follow_requests)
			break;
		enter();
		hooks_answered(req);
		leave();
		break;
	case AL_BEFORE_FORK:
		enter();
		fork_begin();
		break;
	case AL_AFTER_FORK_PARENT:
		fork_end_in_parent();
		leave();
		break;
	case AL_AFTER_FORK_CHILD:
		fork_end_in_child();
		leave();
		break;
	case AL_WORKER_INT:
		if (thread != NULL)
			call_hook(hook);
		else
			hooks_interrupt(hook);
		break;
	case AL_WORKER_ABORT:
		hooks_interrupt(hook);
		break;
	case AL_FILES:
		enter();
		files_name_modules();
		leave();
		break;
	}
}

/* Runs what the application registered with atexit, and waits for its threads. */
static void
unload(void *app)
{
	enter();
	hooks_release();
	Py_DECREF((PyObject *)app);
	environ_release();
	parts_release();
	Py_FinalizeEx();
}

const struct al_binding al_binding = {
	.abi = AL_ABI,
	.name = "python",
	.load = load,
	.handle = handle,
	.hook = hook,
	.unload = unload,
};
