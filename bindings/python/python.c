/*
 * The Python binding: WSGI applications (PEP 3333) in an embedded CPython.
 *
 * One process has one interpreter and one application. The interpreter's lock is held
 * while a request is answered and given up between requests, so that the application's
 * own threads run then.
 */
#include <Python.h>

#include "bindings/python/connection.h"
#include "bindings/python/environ.h"
#include "bindings/python/exchange.h"
#include "bindings/python/file_wrapper.h"
#include "bindings/python/files.h"
#include "bindings/python/fork.h"
#include "bindings/python/handled.h"
#include "bindings/python/hooks.h"
#include "bindings/python/iteration.h"
#include "bindings/python/load.h"
#include "bindings/python/lock.h"
#include "bindings/python/log.h"
#include "bindings/python/messages.h"
#include "bindings/python/module.h"
#include "bindings/python/send.h"
#include "gateway/alicorn.h"

/* Makes what requests need, before the application is loaded. */
static const char *
prepare(void)
{
	if (parts_init() == 0 && handled_init() == 0 && module_init() == 0 &&
		connection_init() == 0 && PyType_Ready(&file_wrapper_type) == 0 &&
		environ_init() == 0)
		return NULL;
	log_exception(NULL);
	return "cannot prepare Python";
}

static const char *
load(const char *target, void **app)
{
	const char *error = interpreter_start();
	PyObject *callable = NULL;

	if (error != NULL)
		return error;
	error = prepare();
	if (error == NULL)
		error = application_load(target, &callable);
	if (error != NULL) {
		files_name_modules();
		Py_FinalizeEx();
		return error;
	}
	hooks_init();
	*app = callable;
	lock_give();
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
	bool handled = result != NULL && is_handled(result);
	int sent = handled ? 0 : result != NULL ? send_result(x, result) : -1;

	report(x);
	if (result != NULL) {
		if (close_result(result) != 0)
			report(x);
		Py_DECREF(result);
	}
	return sent != 0 ? AL_ERROR : handled ? AL_ALREADY_HANDLED : AL_DONE;
}

static int
handle(void *app, struct al_request *req)
{
	struct exchange x;
	enum al_result result = AL_ERROR;

	lock_take();
	if (exchange_begin(&x, req) == 0)
		result = answer(app, &x);
	else
		report(&x);
	exchange_end(&x, result);
	lock_give();
	return result;
}

static int
iterate(void *app)
{
	lock_take();
	int result = iteration_step(app);
	lock_give();
	return result;
}

static void
call_hook(enum al_hook hook)
{
	lock_take();
	hooks_call(hook);
	lock_give();
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
		lock_take();
		hooks_answered(req);
		lock_give();
		break;
	case AL_BEFORE_FORK:
		lock_take();
		fork_begin();
		break;
	case AL_AFTER_FORK_PARENT:
		fork_end_in_parent();
		lock_give();
		break;
	case AL_AFTER_FORK_CHILD:
		fork_end_in_child();
		lock_give();
		break;
	case AL_WORKER_INT:
		if (lock_is_given())
			call_hook(hook);
		else
			hooks_interrupt(hook);
		break;
	case AL_WORKER_ABORT:
		hooks_interrupt(hook);
		break;
	case AL_SHOW_STACK:
		hooks_show_stacks();
		break;
	case AL_FILES:
		lock_take();
		files_name_modules();
		lock_give();
		break;
	case AL_THREAD_START:
		lock_thread_start();
		break;
	case AL_THREAD_EXIT:
		lock_thread_exit();
		break;
	}
}

/* Runs what the application registered with atexit, and waits for its threads. */
static void
unload(void *app)
{
	lock_take();
	hooks_release();
	messages_release();
	iteration_release();
	Py_DECREF((PyObject *)app);
	environ_release();
	parts_release();
	connection_release();
	handled_release();
	module_release();
	Py_FinalizeEx();
}

const struct al_binding al_binding = {
	.abi = AL_ABI,
	.flags = AL_THREAD_SAFE,
	.name = "python",
	.load = load,
	.handle = handle,
	.iterate = iterate,
	.hook = hook,
	.unload = unload,
};
