#include "bindings/python/lock.h"

#include <Python.h>

/* What Python knows of this thread, while it does not hold the lock; NULL: it is in
 * Python, or has nothing to do with it. The model spares each access a call. */
static _Thread_local PyThreadState *thread __attribute__((tls_model("initial-exec")));

void
lock_take(void)
{
	PyThreadState *state = thread;

	thread = NULL;
	PyEval_RestoreThread(state);
}

void
lock_give(void)
{
	thread = PyEval_SaveThread();
}

bool
lock_is_given(void)
{
	return thread != NULL;
}

/* By PyGILState, so that extension modules which call back find the same state. */
void
lock_thread_start(void)
{
	(void)PyGILState_Ensure();
	lock_give();
}

void
lock_thread_exit(void)
{
	lock_take();
	PyGILState_Release(PyGILState_UNLOCKED);
}
