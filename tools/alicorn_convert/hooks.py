"""Hooks of a gunicorn.conf.py. Those of the worker stay what they are, Python functions; the
server runs no Python, so its own are commands, or functions of a C plug-in."""

import os
import re

# What the server's hooks do mostly, and where that belongs.
SERVER_HOOKS = {
    "on_starting": "",
    "when_ready": "",
    "on_reload": "",
    "nworkers_changed": "; the numbers are in ALICORN_WORKERS_OLD and ALICORN_WORKERS_NEW",
    "pre_fork": "",
    "post_fork": "; what it prepares for the application belongs into post_worker_init(worker), "
                 "which is called in the worker when the application is loaded",
    "child_exit": "; the pid of the worker is in ALICORN_WORKER_PID, how it ended in "
                  "ALICORN_STATUS",
    "pre_exec": "",
    "on_exit": "",
}

WORKER_HAS = {"pid", "ppid", "age", "name", "log"}
# What functions ask of gunicorn's worker that is not there.
WORKER_LACKS = {"cfg", "app", "wsgi", "sockets", "alive", "tmp", "notify", "timeout", "nr",
                "max_requests", "booted", "aborted", "reloader", "load_wsgi", "init_process"}


def code_of(function):
    return getattr(function, "__code__", None)


def does_nothing(function):
    """Whether it is a pass, as in gunicorn's example."""
    code = code_of(function)
    return (code is not None and not code.co_names
            and set(code.co_consts) <= {None, function.__doc__}
            and len(code.co_varnames) == code.co_argcount)


def command_hook(name):
    def turn(job, value):
        if not does_nothing(value):
            job.app.tell(name, f"the server runs no Python: {name} names a command here, or a "
                         f"function of a C plug-in{SERVER_HOOKS[name]}")
    return turn


def function_hook(name, takes):
    def turn(job, value):
        if does_nothing(value):
            return
        job.app.set(name, find_function(job, name, value))
        warn(job, name, value, takes)
    return turn


def find_function(job, name, value):
    """The hook as MODULE:FUNCTION."""
    if isinstance(value, str):
        module, _, function = value.rpartition(".")
        return f"{module}:{function}"
    module = getattr(value, "__module__", None)
    if module not in (None, "__config__") and "." not in getattr(value, "__qualname__", "."):
        return f"{module}:{value.__qualname__}"
    return f"{module_of(job)}:{name}"


def module_of(job):
    """The name by which the configuration file can be imported."""
    folder, file = os.path.split(job.file)
    stem = file[:-3] if file.endswith(".py") else file
    module = re.sub(r"\W", "_", stem)
    if module != stem or not file.endswith(".py"):
        job.app.tell("hooks", f"their functions must be in a module: copy {file} to "
                     f"{module}.py beside it")
    if folder != job.folder and folder not in job.app.get("pythonpath", []):
        job.app.add("pythonpath", [folder])
    return module


def warn(job, name, value, takes):
    code = code_of(value)
    if code is None:
        return
    if code.co_argcount not in takes:
        job.app.tell(name, f"is called with {' or '.join(map(str, takes))} arguments, and takes "
                     f"{code.co_argcount}")
    lacking = sorted(WORKER_LACKS & set(code.co_names))
    if lacking:
        job.app.tell(name, f"uses {', '.join(lacking)}; if that is of the worker, it is not "
                     "there: a worker has pid, ppid, age, name and log")
    if name == "worker_exit" and code.co_argcount == 2:
        job.app.tell(name, "of the server it gets pid and log alone")
