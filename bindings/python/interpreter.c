#include <Python.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bindings/python/load.h"
#include "gateway/alicorn.h"

/* Python finds its library and a virtual environment's packages from where its program
 * is; ours is not that program. */
static const char *
find_program(char *room, size_t size)
{
	const char *environment = getenv("VIRTUAL_ENV");

	if (environment != NULL && environment[0] != '\0') {
		int n = snprintf(room, size, "%s/bin/python", environment);
		if (n > 0 && (size_t)n < size && access(room, X_OK) == 0)
			return room;
	}
	return "/usr/bin/python3";
}

/* What is printed and goes to the log shall be there at once. */
static bool
is_captured(void)
{
	const char *capture = al_option("capture_output", 0);

	return capture != NULL && strcmp(capture, "true") == 0;
}

/* Signals are the gateway's: Python installs no handlers of its own. */
static PyStatus
initialize(void)
{
	char *const arguments[] = { (char[]){ "alicorn" }, NULL };
	char room[4096];
	PyConfig config;
	PyStatus status;

	PyConfig_InitPythonConfig(&config);
	config.parse_argv = 0;
	config.install_signal_handlers = 0;
	if (is_captured())
		config.buffered_stdio = 0;
	status = PyConfig_SetBytesArgv(&config, 1, arguments);
	if (!PyStatus_Exception(status))
		status = PyConfig_SetBytesString(
			&config, &config.executable, find_program(room, sizeof(room)));
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
	return status;
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
	static char error[256];
	PyStatus status = initialize();

	if (PyStatus_Exception(status)) {
		snprintf(error, sizeof(error), "cannot start Python: %s",
			status.err_msg != NULL ? status.err_msg : "it wants to exit");
		return error;
	}
	if (extend_path() != 0)
		return "cannot set Python's import path: memory is out";
	return NULL;
}
