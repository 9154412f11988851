#include <Python.h>

#include <stdio.h>

#include "bindings/python/files.h"
#include "bindings/python/load.h"
#include "bindings/python/log.h"

/*
 * To find the application is easier in Python. LoadError is what the administrator is
 * told; its cause, if it has one, is an error inside the application, with a traceback.
 */
static const char loader[] =
	"import os, sys\n"
	"\n"
	"class LoadError(Exception):\n"
	"    pass\n"
	"\n"
	"def import_file(path):\n"
	"    import importlib.util\n"
	"    path = os.path.abspath(path)\n"
	"    if not os.path.isfile(path):\n"
	"        raise LoadError(f'there is no file {path!r}')\n"
	"    sys.path.insert(0, os.path.dirname(path))\n"
	"    name = os.path.basename(path)[:-len('.py')]\n"
	"    spec = importlib.util.spec_from_file_location(name, path)\n"
	"    module = importlib.util.module_from_spec(spec)\n"
	"    sys.modules[name] = module\n"
	"    spec.loader.exec_module(module)\n"
	"    return module\n"
	"\n"
	"def import_module(name):\n"
	"    try:\n"
	"        __import__(name)\n"
	"    except ModuleNotFoundError as e:\n"
	"        if not f'{name}.'.startswith(f'{e.name}.'):\n"
	"            raise\n"
	"        raise LoadError(f'cannot import {name!r}: {e} (looked for in '\n"
	"                        f'{\", \".join(map(str, sys.path))}): start in '\n"
	"                        'its folder, or name that by chdir or pythonpath')\n"
	"    return sys.modules[name]\n"
	"\n"
	"def file_of(module):\n"
	"    if getattr(module, '__file__', None):\n"
	"        return module.__file__\n"
	"    return ('a folder without __init__.py' if hasattr(module, '__path__')\n"
	"            else 'built in')\n"
	"\n"
	"def literal(node):\n"
	"    import ast\n"
	"    try:\n"
	"        return ast.literal_eval(node)\n"
	"    except ValueError:\n"
	"        raise LoadError('the arguments of a factory must be literals')\n"
	"\n"
	"def advice(owner, name):\n"
	"    import difflib\n"
	"    members = getattr(owner, '__dict__', {})\n"
	"    names = [n for n, v in members.items() if callable(v)]\n"
	"    near = difflib.get_close_matches(name, names, 1, 0.5)\n"
	"    usual = [n for n in ('application', 'app', 'create_app') if n in names]\n"
	"    for n in near or usual[:1]:\n"
	"        return f'; did you mean {n!r}?'\n"
	"    return ''\n"
	"\n"
	"def member(owner, name, module):\n"
	"    if not hasattr(owner, name):\n"
	"        raise LoadError(f'there is no {name!r} in {module.__name__!r} '\n"
	"                        f'({file_of(module)}){advice(owner, name)}')\n"
	"    return getattr(owner, name)\n"
	"\n"
	"def evaluate(node, module):\n"
	"    import ast\n"
	"    match node:\n"
	"        case ast.Name(id=name):\n"
	"            return member(module, name, module)\n"
	"        case ast.Attribute(value=owner, attr=name):\n"
	"            return member(evaluate(owner, module), name, module)\n"
	"        case ast.Call(func=function, args=args, keywords=keywords):\n"
	"            args = [literal(a) for a in args]\n"
	"            keywords = {k.arg: literal(k.value) for k in keywords}\n"
	"            return evaluate(function, module)(*args, **keywords)\n"
	"    raise LoadError('behind the module must be a name or a call')\n"
	"\n"
	"def find(module, expression):\n"
	"    if not expression:\n"
	"        for name in 'application', 'app':\n"
	"            if hasattr(module, name):\n"
	"                return getattr(module, name)\n"
	"        raise LoadError(f\"there is neither 'application' nor 'app' in \"\n"
	"                        f'{module.__name__!r} ({file_of(module)})')\n"
	"    if expression.isidentifier():\n"
	"        return member(module, expression, module)\n"
	"    import ast\n"
	"    try:\n"
	"        tree = ast.parse(expression, mode='eval')\n"
	"    except SyntaxError:\n"
	"        raise LoadError(f'{expression!r} is not the name of an application')\n"
	"    return evaluate(tree.body, module)\n"
	"\n"
	"def is_async(app):\n"
	"    call = app if hasattr(app, '__code__') else type(app).__call__\n"
	"    return getattr(getattr(call, '__code__', None), 'co_flags', 0) & 0x80\n"
	"\n"
	"def explain(error):\n"
	"    what = f'{type(error).__name__}: {error}'.partition('\\n')[0]\n"
	"    if (isinstance(error, ModuleNotFoundError)\n"
	"            and str(error.name).partition('.')[0] not in sys.modules\n"
	"            and sys.prefix == sys.base_prefix):\n"
	"        what += '; is it in a virtual environment? venv names that'\n"
	"    return what\n"
	"\n"
	"def without_loader(tb):\n"
	"    while tb and tb.tb_frame.f_code.co_filename.startswith('<'):\n"
	"        tb = tb.tb_next\n"
	"    return tb\n"
	"\n"
	"def load(target):\n"
	"    name, _, expression = target.partition(':')\n"
	"    try:\n"
	"        importer = import_file if name.endswith('.py') else import_module\n"
	"        app = find(importer(name), expression)\n"
	"    except LoadError:\n"
	"        raise\n"
	"    except BaseException as e:\n"
	"        raise LoadError(f'cannot load {target!r}: {explain(e)}') from (\n"
	"            e.with_traceback(without_loader(e.__traceback__)))\n"
	"    if not callable(app):\n"
	"        raise LoadError(f'{target!r} is not callable, but of type '\n"
	"                        f'{type(app).__name__!r}')\n"
	"    if is_async(app):\n"
	"        raise LoadError(f'{target!r} is asynchronous, as those of ASGI are: "
	"'\n"
	"                        'only WSGI applications run here')\n"
	"    return app\n";

/* A new reference to load() of the above, or NULL with an exception. */
static PyObject *
compile_loader(void)
{
	PyObject *code = Py_CompileString(loader, "<alicorn>", Py_file_input);
	PyObject *globals = PyDict_New(), *load = NULL, *none = NULL;

	if (code != NULL && globals != NULL &&
		PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) ==
			0)
		none = PyEval_EvalCode(code, globals, globals);
	if (none != NULL)
		load = Py_XNewRef(PyDict_GetItemString(globals, "load"));
	Py_XDECREF(code);
	Py_XDECREF(globals);
	Py_XDECREF(none);
	return load;
}

/* The message of the current exception, which is cleared. */
static const char *
explain(void)
{
	static char error[1024];
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	PyErr_NormalizeException(&type, &value, &traceback);
	PyObject *cause = PyException_GetCause(value), *text = PyObject_Str(value);
	PyObject *bytes = text != NULL
		? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace")
		: NULL;
	snprintf(error, sizeof(error), "%s",
		bytes != NULL ? PyBytes_AS_STRING(bytes) : "memory is out");
	if (cause != NULL) {
		log_traceback(NULL, cause);
		files_name_traceback(cause);
	}
	Py_XDECREF(bytes);
	Py_XDECREF(text);
	Py_XDECREF(cause);
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(traceback);
	return error;
}

const char *
application_load(const char *target, PyObject **app)
{
	PyObject *load = compile_loader();
	PyObject *text = PyUnicode_DecodeFSDefault(target);

	*app = NULL;
	if (load != NULL && text != NULL)
		*app = PyObject_CallOneArg(load, text);
	Py_XDECREF(load);
	Py_XDECREF(text);
	return *app != NULL ? NULL : explain();
}
