#include "bindings/python/environ.h"

#include <string.h>

#include "bindings/python/file_wrapper.h"

/* Longer values than this are rarely the same in the next request. */
enum { KEPT_VALUE_MAX = 256 };

/*
 * The environ that those of requests begin as copies of. It has what is the same in
 * each request, and the variables that each request had so far, with values that came
 * twice in a row: so most of a request is there already when it is like the one before
 * it. A variable that a request lacks leaves it for good.
 */
static PyObject *common;
static size_t n_common; /* variables in it */
static bool has_begun; /* a request was seen */
static PyObject *input_key, *errors_key, *hints_key, *scheme_key, *https;
static PyObject *socket_key, *gunicorn_key;

/* Names by the gateway's number for them, with the last value of each. */
static struct {
	PyObject *name, *value;
	PyObject *in_common; /* its value there, borrowed; NULL: it is not there */
} known[AL_VAR_IDS];

/* Adds to the environ that all others are made from; takes the value over. */
static int
add_common(const char *key, PyObject *value)
{
	int result = value != NULL ? PyDict_SetItemString(common, key, value) : -1;

	Py_XDECREF(value);
	return result;
}

/* Keys whose values are of each request: they have their places from the beginning. */
static const struct {
	PyObject **key;
	const char *text;
} own[] = {
	{ &input_key, "wsgi.input" },
	{ &errors_key, "wsgi.errors" },
	{ &hints_key, "wsgi.early_hints" },
	{ &socket_key, "alicorn.socket" },
	{ &gunicorn_key, "gunicorn.socket" },
	{ &scheme_key, "wsgi.url_scheme" },
};

enum { OWN = sizeof(own) / sizeof(own[0]) };

int
environ_init(void)
{
	common = PyDict_New();
	https = PyUnicode_InternFromString("https");
	if (common == NULL || https == NULL)
		return -1;
	for (size_t i = 0; i < OWN; i++) {
		*own[i].key = PyUnicode_InternFromString(own[i].text);
		if (*own[i].key == NULL ||
			PyDict_SetItem(common, *own[i].key, Py_None) != 0)
			return -1;
	}
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
	Py_CLEAR(https);
	for (size_t i = 0; i < OWN; i++)
		Py_CLEAR(*own[i].key);
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

/* Sets the last value of a variable in the environ that others begin as. */
static int
set_common(uint32_t id)
{
	if (PyDict_SetItem(common, known[id].name, known[id].value) != 0)
		return -1;
	n_common += known[id].in_common == NULL;
	known[id].in_common = known[id].value;
	return 0;
}

/* What was decoded before, in the same environ: two variables may share one text. */
struct decoded {
	const char *text;
	PyObject *value; /* borrowed from the environ */
};

static PyObject *
decode_once(const struct al_var *var, const struct decoded *before)
{
	return var->value == before->text ? Py_NewRef(before->value)
					  : decode(var->value, var->value_len);
}

/* A value that came twice in a row is expected a third time. Long values are not kept:
 * they are rarely the same in the next request. */
static int
set_known(PyObject *env, const struct al_var *var, struct decoded *before)
{
	PyObject **name = &known[var->id].name, **value = &known[var->id].value;

	if (*name == NULL && (*name = name_new(var)) == NULL)
		return -1;
	if (is_last_value(*value, var)) {
		if (known[var->id].in_common == *value)
			return 0;
		if (known[var->id].in_common != NULL && set_common(var->id) != 0)
			return -1;
		return PyDict_SetItem(env, *name, *value);
	}
	PyObject *now = decode_once(var, before);
	int result = now != NULL ? PyDict_SetItem(env, *name, now) : -1;
	if (result == 0 && var->value_len <= KEPT_VALUE_MAX)
		Py_XSETREF(*value, Py_NewRef(now));
	*before = (struct decoded){ var->value, now };
	Py_XDECREF(now);
	return result;
}

static bool
is_known(const struct al_var *var)
{
	return var->id != 0 && var->id < AL_VAR_IDS;
}

/* Of the first request: all that it has may be what every request has. */
static int
learn(const struct al_var *vars, size_t n)
{
	has_begun = true;
	for (size_t i = 0; i < n; i++)
		if (is_known(&vars[i]) && known[vars[i].id].value != NULL &&
			set_common(vars[i].id) != 0)
			return -1;
	return 0;
}

/* Takes out what this request does not have, for it and for all that follow. */
static int
unlearn(PyObject *env, const struct al_var *vars, size_t n)
{
	bool is_here[AL_VAR_IDS] = { false };

	for (size_t i = 0; i < n; i++)
		if (is_known(&vars[i]))
			is_here[vars[i].id] = true;
	for (size_t id = 0; id < AL_VAR_IDS; id++) {
		if (known[id].in_common == NULL || is_here[id])
			continue;
		if (PyDict_DelItem(env, known[id].name) != 0 ||
			PyDict_DelItem(common, known[id].name) != 0)
			return -1;
		known[id].in_common = NULL;
		n_common--;
	}
	/* Anew, as a copy would copy the holes too. */
	PyObject *whole = PyDict_New();
	if (whole == NULL || PyDict_Update(whole, common) != 0)
		return -1;
	Py_SETREF(common, whole);
	return 0;
}

static int
set_variables(PyObject *env, struct al_request *req)
{
	size_t n, n_met = 0;
	const struct al_var *vars = al_env_all(req, &n);
	struct decoded before = { NULL, NULL };

	for (size_t i = 0; i < n; i++) {
		bool known_one = is_known(&vars[i]);
		n_met += known_one && known[vars[i].id].in_common != NULL;
		if ((known_one ? set_known(env, &vars[i], &before)
			       : set_unknown(env, &vars[i])) != 0)
			return -1;
	}
	if (!has_begun)
		return learn(vars, n);
	return n_met == n_common ? 0 : unlearn(env, vars, n);
}

static int
fill(PyObject *env, const struct exchange *x)
{
	if (set_variables(env, x->req) != 0)
		return -1;
	if (strcmp(al_scheme(x->req), "https") == 0 &&
		PyDict_SetItem(env, scheme_key, https) != 0)
		return -1;
	if (PyDict_SetItem(env, input_key, &x->parts[PART_INPUT]->base) != 0)
		return -1;
	if (PyDict_SetItem(env, hints_key, &x->parts[PART_EARLY_HINTS]->base) != 0)
		return -1;
	if (PyDict_SetItem(env, socket_key, x->connection) != 0 ||
		PyDict_SetItem(env, gunicorn_key, x->connection) != 0)
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
