#include <Python.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bindings/python/load.h"
#include "bindings/python/module.h"
#include "gateway/alicorn.h"

static char error[256];

/* What a virtual environment must have: its python, and the packages of our version of
 * it. NULL, or what it lacks. */
static const char *
check_environment(const char *folder, const char *program)
{
	char packages[PATH_MAX];
	int n = snprintf(packages, sizeof(packages), "%s/lib/python%d.%d", folder,
		PY_MAJOR_VERSION, PY_MINOR_VERSION);

	if (access(program, X_OK) != 0)
		snprintf(error, sizeof(error), "venv: there is no program %.200s",
			program);
	else if (n >= (int)sizeof(packages) || access(packages, X_OK) != 0)
		snprintf(error, sizeof(error),
			"venv: %.150s was not made for Python %d.%d, which this is",
			folder, PY_MAJOR_VERSION, PY_MINOR_VERSION);
	else
		return NULL;
	return error;
}

/* Python finds its library and a virtual environment's packages from where its program
 * is; ours is not that program. The setting must be right, but VIRTUAL_ENV may have
 * been meant for somebody else. */
static const char *
find_program(char *room, size_t size)
{
	const char *wanted = al_option("venv", 0);
	const char *folder = wanted != NULL ? wanted : getenv("VIRTUAL_ENV");
	const char *fault = NULL;

	if (folder != NULL && folder[0] != '\0') {
		int n = snprintf(room, size, "%s/bin/python", folder);
		fault = n < 0 || (size_t)n >= size ? "venv: its path is too long"
						   : check_environment(folder, room);
		if (fault == NULL || wanted != NULL)
			return fault;
	}
	snprintf(room, size, "/usr/bin/python3");
	return NULL;
}

/* Signals are the gateway's: Python installs no handlers of its own. */
static PyStatus
initialize(const char *program)
{
	char *const arguments[] = { (char[]){ "alicorn" }, NULL };
	PyConfig config;
	PyStatus status;

	PyConfig_InitPythonConfig(&config);
	config.parse_argv = 0;
	config.install_signal_handlers = 0;
	status = PyConfig_SetBytesArgv(&config, 1, arguments);
	if (!PyStatus_Exception(status))
		status = PyConfig_SetBytesString(&config, &config.executable, program);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
	return status;
}

/* What is printed and goes to the log shall be there line by line, and at once. */
static int
set_output(void)
{
	const char *capture = al_option("capture_output", 0);
	PyObject *out = PySys_GetObject("stdout"), *args, *names, *nothing = NULL;

	if (capture == NULL || strcmp(capture, "true") != 0 || out == NULL)
		return 0;
	PyObject *reconfigure = PyObject_GetAttrString(out, "reconfigure");
	args = PyTuple_New(0);
	names = Py_BuildValue("{sO}", "line_buffering", Py_True);
	if (reconfigure != NULL && args != NULL && names != NULL)
		nothing = PyObject_Call(reconfigure, args, names);
	Py_XDECREF(reconfigure);
	Py_XDECREF(args);
	Py_XDECREF(names);
	Py_XDECREF(nothing);
	return nothing != NULL ? 0 : -1;
}

static int
append_folder(PyObject *folders, const char *folder)
{
	PyObject *text = PyUnicode_DecodeFSDefault(folder);
	int result = text != NULL ? PyList_Append(folders, text) : -1;

	Py_XDECREF(text);
	return result;
}

/* Puts the folders of the application before those of the library; -1 with an
 * exception. */
static int
extend_path(void)
{
	PyObject *path = PySys_GetObject("path"), *folders = PyList_New(0);
	char *working = getcwd(NULL, 0);
	const char *folder;
	int result = -1;

	if (path == NULL || folders == NULL)
		goto out;
	for (size_t i = 0; (folder = al_option("pythonpath", i)) != NULL; i++)
		if (append_folder(folders, folder) != 0)
			goto out;
	if (working != NULL && append_folder(folders, working) != 0)
		goto out;
	result = PyList_SetSlice(path, 0, 0, folders);
out:
	free(working);
	Py_XDECREF(folders);
	return result;
}

const char *
interpreter_start(void)
{
	char program[PATH_MAX];
	const char *fault = find_program(program, sizeof(program));
	PyStatus status;

	if (fault != NULL)
		return fault;
	if (module_announce() != 0)
		return "cannot start Python: memory is out";
	status = initialize(program);
	if (PyStatus_Exception(status)) {
		snprintf(error, sizeof(error), "cannot start Python: %s",
			status.err_msg != NULL ? status.err_msg : "it wants to exit");
		return error;
	}
	if (extend_path() != 0 || set_output() != 0)
		return "cannot set Python up: memory is out";
	return NULL;
}
