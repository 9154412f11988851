#include "bindings/python/module.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "bindings/python/connection.h"
#include "bindings/python/exchange.h"
#include "bindings/python/handled.h"
#include "bindings/python/lease.h"
#include "bindings/python/log.h"
#include "bindings/python/messages.h"
#include "gateway/alicorn.h"

PyObject *pause_iteration;

/* ---- alicorn.worker ---- */

static PyObject *
worker_id(PyObject *self, void *Py_UNUSED(closure))
{
	(void)self;
	return PyLong_FromUnsignedLong(al_worker_age());
}

static PyObject *
worker_pool(PyObject *self, void *Py_UNUSED(closure))
{
	(void)self;
	return PyUnicode_DecodeFSDefault(al_name());
}

static PyObject *
worker_pid(PyObject *self, void *Py_UNUSED(closure))
{
	(void)self;
	return PyLong_FromLong(getpid());
}

static PyObject *
worker_generation(PyObject *self, void *Py_UNUSED(closure))
{
	(void)self;
	return PyLong_FromUnsignedLong(al_generation());
}

static PyObject *
worker_busy(PyObject *self, void *Py_UNUSED(closure))
{
	(void)self;
	return PyLong_FromUnsignedLong(al_busy_workers());
}

static PyGetSetDef worker_facts[] = {
	{ "id", worker_id, NULL, NULL, NULL },
	{ "age", worker_id, NULL, NULL, NULL }, /* as gunicorn calls it */
	{ "pool", worker_pool, NULL, NULL, NULL },
	{ "pid", worker_pid, NULL, NULL, NULL },
	{ "generation", worker_generation, NULL, NULL, NULL },
	{ "busy_workers", worker_busy, NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyTypeObject worker_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "alicorn.Worker",
	.tp_basicsize = sizeof(PyObject),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.tp_getset = worker_facts,
};

static PyObject worker = { .ob_refcnt = 1, .ob_type = &worker_type };

/* ---- Functions ---- */

static const struct {
	const char *name;
	long number; /* the least of the logging module's that means it */
	enum al_level level;
} levels[] = {
	{ "critical", 50, AL_CRITICAL },
	{ "error", 40, AL_LOG_ERROR },
	{ "warning", 30, AL_WARNING },
	{ "info", 20, AL_INFO },
	{ "debug", 10, AL_DEBUG },
};

enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };

/* A row of levels, or -1 with an exception. */
static int
find_level(PyObject *wanted)
{
	bool is_number = PyLong_Check(wanted);
	long number = is_number ? PyLong_AsLong(wanted) : 0;
	const char *name = is_number ? NULL : PyUnicode_AsUTF8(wanted);

	if (PyErr_Occurred() != NULL)
		return -1;
	for (int i = 0; i < (int)LEVELS; i++)
		if (is_number ? number >= levels[i].number
			      : strcmp(name, levels[i].name) == 0)
			return i;
	if (is_number)
		return LEVELS - 1;
	PyErr_Format(PyExc_ValueError, "there is no level %R", wanted);
	return -1;
}

static PyObject *
write_log(PyObject *module, PyObject *args)
{
	PyObject *wanted, *message;

	(void)module;
	if (!PyArg_ParseTuple(args, "OU:log", &wanted, &message))
		return NULL;
	int row = find_level(wanted);
	PyObject *text = row != -1
		? PyUnicode_AsEncodedString(message, "utf-8", "backslashreplace")
		: NULL;
	if (text == NULL)
		return NULL;
	log_lines(exchange_current(), levels[row].level, PyBytes_AS_STRING(text));
	Py_DECREF(text);
	Py_RETURN_NONE;
}

static PyObject *
request_id(PyObject *module, PyObject *Py_UNUSED(none))
{
	struct al_request *req = exchange_current();
	const char *id = req != NULL ? al_env(req, "REQUEST_ID") : NULL;

	(void)module;
	if (id == NULL)
		Py_RETURN_NONE;
	return PyUnicode_DecodeLatin1(id, (Py_ssize_t)strlen(id), NULL);
}

static PyMethodDef functions[] = {
	{ "detach", connection_detach, METH_VARARGS, NULL },
	{ "log", write_log, METH_VARARGS, NULL },
	{ "on_message", messages_follow, METH_O, NULL },
	{ "request_id", request_id, METH_NOARGS, NULL },
	{ "send", (PyCFunction)(void (*)(void))messages_send,
		METH_VARARGS | METH_KEYWORDS, NULL },
	{ NULL, NULL, 0, NULL },
};

/* ---- The module ---- */

static int
add_members(PyObject *module)
{
	if (PyModule_AddObjectRef(module, "ALREADY_HANDLED", &already_handled) != 0 ||
		PyModule_AddObjectRef(module, "PauseIteration", pause_iteration) != 0 ||
		PyModule_AddObjectRef(module, "worker", &worker) != 0 ||
		PyModule_AddType(module, &proc_type) != 0 ||
		PyModule_AddType(module, connection_type()) != 0 ||
		PyModule_AddType(module, &worker_type) != 0 ||
		PyModule_AddType(module, Py_TYPE(&already_handled)) != 0)
		return -1;
	if (PyModule_AddIntConstant(module, "POOL", AL_TO_POOL) != 0 ||
		PyModule_AddIntConstant(module, "ARBITER", AL_TO_ARBITER) != 0)
		return -1;
	return PyModule_AddStringConstant(module, "version", al_version());
}

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "alicorn",
	.m_size = -1,
	.m_methods = functions,
};

static PyObject *
make_module(void)
{
	PyObject *module = PyModule_Create(&definition);

	if (module != NULL && add_members(module) != 0)
		Py_CLEAR(module);
	return module;
}

int
module_announce(void)
{
	return PyImport_AppendInittab("alicorn", make_module);
}

int
module_init(void)
{
	pause_iteration =
		PyErr_NewException("alicorn.PauseIteration", PyExc_Exception, NULL);
	if (pause_iteration == NULL || PyType_Ready(&worker_type) < 0)
		return -1;
	return 0;
}

void
module_release(void)
{
	Py_CLEAR(pause_iteration);
}
