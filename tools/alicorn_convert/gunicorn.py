"""gunicorn: its configuration file, which is a Python program, and its command line."""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import traceback

from .gunicorn_settings import TABLE, Job, truth
from .output import Unusable, absolute, split_words

# ---- The file ----------------------------------------------------------------------------


def find_file(location, folder):
    """The file that -c names: PATH, file:PATH or python:MODULE."""
    kind, colon, rest = location.partition(":")
    if colon and kind == "python":
        sys.path.insert(0, folder)
        spec = importlib.util.find_spec(rest)
        if spec is None or not spec.origin:
            raise Unusable(f"{location}: there is no such module")
        return spec.origin
    return absolute(rest if colon and kind == "file" else location, folder)


def run_file(path, folder, later):
    """What the program defines. gunicorn runs it in the folder where it was started, before
    it changes to a later one, whose modules the program may mean as well."""
    if not os.path.exists(path):
        raise Unusable(f"{path}: there is no such file")
    spec = importlib.util.spec_from_loader(
        "__config__", importlib.machinery.SourceFileLoader("__config__", path))
    module = importlib.util.module_from_spec(spec)
    sys.modules["__config__"] = module
    sys.path[:0] = [folder, later]
    before = os.getcwd()
    try:
        os.chdir(folder)
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        hint = ("; let the Python that runs gunicorn run alicorn-convert, as in "
                "venv/bin/python alicorn-convert" if isinstance(error, ImportError) else "")
        raise Unusable(f"{path}: {type(error).__name__}: {error} ({last.filename}, line "
                       f"{last.lineno}){hint}") from None
    finally:
        os.chdir(before)
    return vars(module)


def file_values(names):
    """Of what a file defines, the settings; None is what gunicorn takes for not set."""
    return {row.name: names[row.name] for row in TABLE
            if names.get(row.name) is not None and not inspect.ismodule(names[row.name])}


# ---- The command line --------------------------------------------------------------------


class Refused(argparse.ArgumentParser):
    def error(self, message):
        raise Unusable(f"gunicorn's command line: {message}")


def make_parser():
    parser = Refused(add_help=False)
    parser.add_argument("-c", "--config", default=argparse.SUPPRESS)
    for row in TABLE:
        how = {"dest": row.name, "default": argparse.SUPPRESS}
        if row.name == "proxy_protocol":
            how.update(nargs="?", const="auto")
        elif row.name == "sendfile":
            how.update(action="store_false")
        elif row.kind is truth:
            how.update(action="store_true")
        elif row.name in ("bind", "raw_env", "reload_extra_files", "dirty_apps",
                          "raw_paste_global_conf"):
            how.update(action="append")
        if row.flags:
            parser.add_argument(*row.flags.split(), **how)
    for flags in ("--check-config",), ("--print-config",), ("-h", "--help"), ("-v", "--version"):
        parser.add_argument(*flags, action="store_true", default=argparse.SUPPRESS,
                            dest="nothing")
    parser.add_argument("words", nargs="*", default=argparse.SUPPRESS)
    return parser


def parse_words(output, words):
    """A dict of what the options say."""
    found, unknown = make_parser().parse_known_args(words)
    if unknown:
        output.tell(" ".join(unknown), "no option of gunicorn")
    return vars(found)


# ---- All of it ---------------------------------------------------------------------------


def convert_words(output, words, folder, env):
    """A command line behind the word gunicorn, started in the folder with these variables
    of the environment."""
    arguments = split_words(env.get("GUNICORN_CMD_ARGS", ""))
    said = {**parse_words(output, arguments), **parse_words(output, words)}
    location = said.pop("config", None)
    file = find_file(location or "gunicorn.conf.py", folder)
    values = {}
    if location or os.path.exists(file):
        output.source += f" and {file}"
        values = file_values(run_file(file, folder, absolute(said.get("chdir", "."), folder)))
    apply(output, values, said, folder, file)


def convert_file(output, file, words):
    """The file alone, or with words of a command line: options, and the application."""
    file = os.path.abspath(file)
    folder = os.path.dirname(file)
    said = parse_words(output, words)
    if "chdir" in said:
        said["chdir"] = absolute(said["chdir"], os.getcwd())
    values = file_values(run_file(file, folder, said.get("chdir", folder)))
    if "chdir" not in {**values, **said}:
        output.tell("chdir", f"{folder}, where the file is, is taken for the folder that gunicorn "
                    "is started in")
    apply(output, values, said, folder, file)


def apply(output, file_said, said, folder, file):
    """The command line is stronger than the file; a list replaces the whole list."""
    words = said.pop("words", [])
    said.pop("nothing", None)
    values = {**file_said, **said}
    if words:
        values["wsgi_app"] = words[0]
    for word in words[1:]:
        output.tell(word, "more than one application was named; the first one counts")
    values["chdir"] = absolute(values.get("chdir", "."), folder)
    rows = [row for row in TABLE if row.name in values]
    for row in rows:
        try:
            values[row.name] = row.kind(values[row.name])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Unusable(f"{row.name}: gunicorn does not take {values[row.name]!r}") from None
    turn_all(Job(output.top, values["chdir"], file, values), rows)
    if "wsgi_app" not in values:
        output.tell("target", "no application is named; it is the last word of the command line, "
                    "here as with gunicorn: alicorn -c FILE MODULE:CALLABLE")


# Values of settings without counterpart that ask for nothing.
PLAIN = {"protocol": "http", "http_protocols": "h1", "http_parser": "auto"}


def turn_all(job, rows):
    for row in rows:
        if isinstance(row.turn, str):
            if job.values[row.name] not in (False, "", [], 0, PLAIN.get(row.name)):
                job.app.tell(row.name, row.turn)
        else:
            row.turn(job, job.values[row.name])
