#include "bindings/python/hooks.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "bindings/python/hooks_py.h"
#include "bindings/python/log.h"

/* Signals of our own, by which a handler in C has Python do something: at once, to
 * write the stacks; or, as soon as it can, to run a hook. */
#define SIGNAL_STACKS (SIGRTMAX - 2)
#define SIGNAL_INT (SIGRTMAX - 3)
#define SIGNAL_ABORT (SIGRTMAX - 4)

enum { STACKS_FD_LEAST = 100 };

bool hooks_follow_requests;

static PyObject *hooks; /* NULL: there are none */
static int stacks_fd = -1; /* becomes the log when stacks are written */
static bool may_interrupt[AL_WORKER_ABORT + 1];

static const char *const settings[] = {
	[AL_WORKER_INIT] = "post_worker_init",
	[AL_WORKER_EXIT] = "worker_exit",
	[AL_PRE_REQUEST] = "pre_request",
	[AL_POST_REQUEST] = "post_request",
	[AL_WORKER_INT] = "worker_int",
	[AL_WORKER_ABORT] = "worker_abort",
};

enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

/* What became of a call: an exception is logged. */
static void
settle(PyObject *result)
{
	if (result == NULL)
		log_exception(NULL);
	Py_XDECREF(result);
}

/* ---- To find them ---- */

static PyObject *
write_line(PyObject *self, PyObject *args)
{
	int level;
	const char *text;

	(void)self;
	if (!PyArg_ParseTuple(args, "is", &level, &text))
		return NULL;
	al_log(NULL, (enum al_level)level, "%s", text);
	Py_RETURN_NONE;
}

static PyObject *
worker_age(PyObject *self, PyObject *Py_UNUSED(none))
{
	(void)self;
	return PyLong_FromUnsignedLong(al_worker_age());
}

static PyMethodDef functions[] = {
	{ "write", write_line, METH_VARARGS, NULL },
	{ "age", worker_age, METH_NOARGS, NULL },
};

/* The names that the source defines, or NULL with an exception. */
static PyObject *
run_source(void)
{
	PyObject *code = Py_CompileString(hooks_source, "<alicorn>", Py_file_input);
	PyObject *names = PyDict_New(), *none = NULL;

	if (code != NULL && names != NULL &&
		PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0)
		none = PyEval_EvalCode(code, names, names);
	if (none == NULL)
		Py_CLEAR(names);
	Py_XDECREF(code);
	Py_XDECREF(none);
	return names;
}

/* A dict of those that are set, or NULL with an exception. */
static PyObject *
find_settings(void)
{
	PyObject *found = PyDict_New();

	for (size_t i = 0; found != NULL && i < SETTINGS; i++) {
		const char *value =
			settings[i] != NULL ? al_option(settings[i], 0) : NULL;
		if (value == NULL)
			continue;
		PyObject *text = PyUnicode_DecodeFSDefault(value);
		if (text == NULL || PyDict_SetItemString(found, settings[i], text) != 0)
			Py_CLEAR(found);
		Py_XDECREF(text);
	}
	return found;
}

static PyObject *
make_hooks(PyObject *names, PyObject *set)
{
	PyObject *age = PyCFunction_New(&functions[1], NULL);
	PyObject *write = PyCFunction_New(&functions[0], NULL), *made = NULL;

	if (age != NULL && write != NULL)
		made = PyObject_CallFunction(PyDict_GetItemString(names, "Hooks"),
			"OsOO", set, al_name(), age, write);
	Py_XDECREF(age);
	Py_XDECREF(write);
	return made;
}

/* Whether the signal runs the hook. */
static bool
arrange_interrupt(int number, enum al_hook moment, int status)
{
	PyObject *done = PyObject_CallMethod(
		hooks, "interrupt", "isi", number, settings[moment], status);
	bool is_set = done == Py_True;

	settle(done);
	return is_set;
}

/* The stacks are written by Python's own handler, which calls only what a handler may.
 */
static void
arrange_stacks(void)
{
	PyObject *module = PyImport_ImportModule("faulthandler"), *done = NULL;

	stacks_fd = fcntl(al_log_fd(), F_DUPFD_CLOEXEC, STACKS_FD_LEAST);
	if (module != NULL && stacks_fd != -1)
		done = PyObject_CallMethod(
			module, "register", "iii", SIGNAL_STACKS, stacks_fd, 1);
	Py_XDECREF(module);
	Py_XDECREF(done);
	PyErr_Clear();
}

/* NULL: there are none, or an exception was logged. */
static PyObject *
find_hooks(void)
{
	PyObject *set = find_settings(), *names = NULL, *made = NULL;

	if (set != NULL && PyDict_Size(set) > 0 && (names = run_source()) != NULL)
		made = make_hooks(names, set);
	Py_XDECREF(names);
	Py_XDECREF(set);
	if (PyErr_Occurred() != NULL)
		log_exception(NULL);
	return made;
}

void
hooks_init(void)
{
	arrange_stacks();
	hooks = find_hooks();
	if (hooks == NULL)
		return;
	hooks_follow_requests = al_option(settings[AL_PRE_REQUEST], 0) != NULL ||
		al_option(settings[AL_POST_REQUEST], 0) != NULL;
	may_interrupt[AL_WORKER_INT] = arrange_interrupt(SIGNAL_INT, AL_WORKER_INT, 0);
	may_interrupt[AL_WORKER_ABORT] =
		arrange_interrupt(SIGNAL_ABORT, AL_WORKER_ABORT, 1);
}

void
hooks_release(void)
{
	hooks_follow_requests = false;
	Py_CLEAR(hooks);
}

/* ---- To call them ---- */

void
hooks_call(enum al_hook moment)
{
	if (hooks != NULL)
		settle(PyObject_CallMethod(hooks, "moment", "s", settings[moment]));
}

void
hooks_request(PyObject *variables)
{
	settle(PyObject_CallMethod(hooks, "begin", "O", variables));
}

void
hooks_response(PyObject *status, PyObject *headers)
{
	settle(PyObject_CallMethod(hooks, "respond", "OO", status, headers));
}

void
hooks_answered(struct al_request *req)
{
	settle(PyObject_CallMethod(hooks, "answered", "I", al_status(req)));
}

void
hooks_show_stacks(void)
{
	if (stacks_fd == -1)
		return;
	dup2(al_log_fd(), stacks_fd);
	raise(SIGNAL_STACKS);
}

void
hooks_interrupt(enum al_hook moment)
{
	if (moment == AL_WORKER_ABORT)
		hooks_show_stacks();
	if (!may_interrupt[moment])
		return;
	al_end_later();
	raise(moment == AL_WORKER_INT ? SIGNAL_INT : SIGNAL_ABORT);
}
