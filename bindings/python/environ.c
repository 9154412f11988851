#include "bindings/python/environ.h"

#include <string.h>

#include "bindings/python/file_wrapper.h"

/* Longer values than this are rarely the same in the next request. */
enum { KEPT_VALUE_MAX = 256 };

/* What every request has, with the keys of what it has of its own. */
static PyObject *common;
static PyObject *input_key, *errors_key, *hints_key, *scheme_key, *https;

/* Names by the gateway's number for them, with the last value of each: most are the
 * same in the next request. */
static struct {
	PyObject *name, *value;
} known[AL_VAR_IDS];

/* Adds to the environ that all others are made from; takes the value over. */
static int
add_common(const char *key, PyObject *value)
{
	int result = value != NULL ? PyDict_SetItemString(common, key, value) : -1;

	Py_XDECREF(value);
	return result;
}

int
environ_init(void)
{
	common = PyDict_New();
	input_key = PyUnicode_InternFromString("wsgi.input");
	errors_key = PyUnicode_InternFromString("wsgi.errors");
	hints_key = PyUnicode_InternFromString("wsgi.early_hints");
	scheme_key = PyUnicode_InternFromString("wsgi.url_scheme");
	https = PyUnicode_InternFromString("https");
	if (common == NULL || input_key == NULL || errors_key == NULL ||
		hints_key == NULL || scheme_key == NULL || https == NULL)
		return -1;
	if (add_common("wsgi.version", Py_BuildValue("(ii)", 1, 0)) != 0 ||
		add_common("wsgi.url_scheme", PyUnicode_FromString("http")) != 0 ||
		add_common("wsgi.multithread", PyBool_FromLong(al_multithread())) !=
			0 ||
		add_common("wsgi.multiprocess", PyBool_FromLong(al_multiprocess())) !=
			0 ||
		add_common("wsgi.run_once", Py_NewRef(Py_False)) != 0 ||
		add_common("wsgi.input_terminated", Py_NewRef(Py_True)) != 0)
		return -1;
	return add_common("wsgi.file_wrapper", Py_NewRef(&file_wrapper_type));
}

void
environ_release(void)
{
	Py_CLEAR(common);
	Py_CLEAR(input_key);
	Py_CLEAR(errors_key);
	Py_CLEAR(hints_key);
	Py_CLEAR(scheme_key);
	Py_CLEAR(https);
	for (size_t i = 0; i < AL_VAR_IDS; i++) {
		Py_CLEAR(known[i].name);
		Py_CLEAR(known[i].value);
	}
}

static PyObject *
decode(const char *text, uint32_t n)
{
	return PyUnicode_DecodeLatin1(text, n, NULL);
}

static int
set_unknown(PyObject *env, const struct al_var *var)
{
	PyObject *name = decode(var->name, var->name_len);
	PyObject *value = decode(var->value, var->value_len);
	int result = -1;

	if (name != NULL && value != NULL)
		result = PyDict_SetItem(env, name, value);
	Py_XDECREF(name);
	Py_XDECREF(value);
	return result;
}

/* The last value of the variable was made by decode(): one byte a character. */
static bool
is_last_value(PyObject *last, const struct al_var *var)
{
	return last != NULL &&
		PyUnicode_GET_LENGTH(last) == (Py_ssize_t)var->value_len &&
		memcmp(PyUnicode_1BYTE_DATA(last), var->value, var->value_len) == 0;
}

/* A new reference to the name under which values of this variable are set. */
static PyObject *
name_new(const struct al_var *var)
{
	PyObject *name = decode(var->name, var->name_len);

	if (name != NULL)
		PyUnicode_InternInPlace(&name);
	return name;
}

static int
set_var(PyObject *env, const struct al_var *var)
{
	if (var->id == 0 || var->id >= AL_VAR_IDS || var->value_len > KEPT_VALUE_MAX)
		return set_unknown(env, var);

	PyObject **name = &known[var->id].name, **value = &known[var->id].value;
	if (*name == NULL && (*name = name_new(var)) == NULL)
		return -1;
	if (!is_last_value(*value, var)) {
		PyObject *now = decode(var->value, var->value_len);
		if (now == NULL)
			return -1;
		Py_XSETREF(*value, now);
	}
	return PyDict_SetItem(env, *name, *value);
}

static int
fill(PyObject *env, const struct exchange *x)
{
	size_t n;
	const struct al_var *vars = al_env_all(x->req, &n);

	for (size_t i = 0; i < n; i++)
		if (set_var(env, &vars[i]) != 0)
			return -1;
	if (strcmp(al_scheme(x->req), "https") == 0 &&
		PyDict_SetItem(env, scheme_key, https) != 0)
		return -1;
	if (PyDict_SetItem(env, input_key, &x->parts[PART_INPUT]->base) != 0)
		return -1;
	if (PyDict_SetItem(env, hints_key, &x->parts[PART_EARLY_HINTS]->base) != 0)
		return -1;
	return PyDict_SetItem(env, errors_key, &x->parts[PART_ERRORS]->base);
}

PyObject *
environ_new(const struct exchange *x)
{
	PyObject *env = PyDict_Copy(common);

	if (env != NULL && fill(env, x) != 0)
		Py_CLEAR(env);
	return env;
}
