#include "bindings/python/file_wrapper.h"

#include <sys/stat.h>

struct file_wrapper {
	PyObject base;
	PyObject *file;
	Py_ssize_t block_size;
};

static PyObject *
wrapper_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
	PyObject *file;
	Py_ssize_t block_size = 0;

	if (names != NULL && PyDict_GET_SIZE(names) > 0)
		return PyErr_Format(
			PyExc_TypeError, "the call is file_wrapper(file, size)");
	if (!PyArg_ParseTuple(args, "O|n:file_wrapper", &file, &block_size))
		return NULL;
	struct file_wrapper *w = PyObject_GC_New(struct file_wrapper, type);
	if (w == NULL)
		return NULL;
	w->file = Py_NewRef(file);
	w->block_size = block_size > 0 ? block_size : 32768;
	PyObject_GC_Track(w);
	return &w->base;
}

static int
wrapper_traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(((struct file_wrapper *)self)->file);
	return 0;
}

static int
wrapper_clear(PyObject *self)
{
	Py_CLEAR(((struct file_wrapper *)self)->file);
	return 0;
}

static void
wrapper_dealloc(PyObject *self)
{
	PyObject_GC_UnTrack(self);
	wrapper_clear(self);
	PyObject_GC_Del(self);
}

/* Iterating gives blocks; NULL without an exception at the end. */
static PyObject *
wrapper_next(PyObject *self)
{
	struct file_wrapper *w = (struct file_wrapper *)self;
	PyObject *block = PyObject_CallMethod(w->file, "read", "n", w->block_size);
	int more = block != NULL ? PyObject_IsTrue(block) : -1;

	if (more <= 0)
		Py_CLEAR(block);
	return block;
}

/* close() of the file, if it has one; some frameworks put theirs in its place after the
 * file was wrapped. */
static PyObject *
wrapper_close(PyObject *self, PyObject *Py_UNUSED(none))
{
	struct file_wrapper *w = (struct file_wrapper *)self;

	if (!PyObject_HasAttrString(w->file, "close"))
		Py_RETURN_NONE;
	return PyObject_CallMethod(w->file, "close", NULL);
}

static bool
is_instance(PyObject *object, PyObject *module, const char *name)
{
	PyObject *type = PyObject_GetAttrString(module, name);
	int result = type != NULL ? PyObject_IsInstance(object, type) : 0;

	Py_XDECREF(type);
	PyErr_Clear();
	return result > 0;
}

/* Whether reading gives the bytes that are behind fileno(). Of the classes of io only
 * three do so; others decode text, or unpack (gzip). What is not of io is taken at its
 * word. */
static bool
is_transparent(PyObject *file)
{
	PyObject *io = PyImport_ImportModule("io");
	bool result = io != NULL &&
		(!is_instance(file, io, "IOBase") ||
			is_instance(file, io, "BufferedReader") ||
			is_instance(file, io, "BufferedRandom") ||
			is_instance(file, io, "FileIO"));

	Py_XDECREF(io);
	PyErr_Clear();
	return result;
}

/* What a method of the file returns as a number, or -1. */
static long long
ask_number(PyObject *file, const char *method)
{
	PyObject *answer = PyObject_CallMethod(file, method, NULL);
	long long number = answer != NULL ? PyLong_AsLongLong(answer) : -1;

	Py_XDECREF(answer);
	PyErr_Clear();
	return number;
}

bool
file_wrapper_is_file(PyObject *wrapper, int *fd, off_t *offset)
{
	PyObject *file = ((struct file_wrapper *)wrapper)->file;
	struct stat st;

	if (!PyObject_HasAttrString(file, "fileno") || !is_transparent(file))
		return false;
	*fd = (int)ask_number(file, "fileno");
	if (*fd < 0 || fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	*offset = ask_number(file, "tell");
	return *offset >= 0;
}

static PyMethodDef methods[] = {
	{ "close", wrapper_close, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

PyTypeObject file_wrapper_type = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "alicorn.file_wrapper",
	.tp_basicsize = sizeof(struct file_wrapper),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_new = wrapper_new,
	.tp_traverse = wrapper_traverse,
	.tp_clear = wrapper_clear,
	.tp_dealloc = wrapper_dealloc,
	.tp_iter = PyObject_SelfIter,
	.tp_iternext = wrapper_next,
	.tp_methods = methods,
};
