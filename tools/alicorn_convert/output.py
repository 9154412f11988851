"""The configuration file that is written: settings, applications, routes, and what is to be
told."""

import os
import re
import shlex
import textwrap

WIDTH = 86

# Whole numbers that alicorn takes of the settings whose values come from elsewhere.
RANGES = {
    "workers": (1, 4096), "workers_min": (0, 4096), "workers_max": (0, 4096),
    "threads": (1, 1024), "worker_connections": (1, 1000000), "backlog": (1, 65535),
    "timeout": (0, 86400), "graceful_timeout": (0, 86400), "keepalive": (0, 86400),
    "idle_timeout": (1, 86400), "header_timeout": (1, 86400), "body_timeout": (1, 86400),
    "write_timeout": (1, 86400),
    "max_requests": (0, 2 ** 31 - 1), "max_requests_jitter": (0, 2 ** 31 - 1),
    "limit_request_line": (64, 65536), "limit_request_fields": (1, 32768),
    "limit_request_field_size": (64, 65536),
    "limit_files": (0, 2 ** 31 - 1), "limit_processes": (0, 2 ** 31 - 1),
}


class Unusable(Exception):
    """Nothing can be made of the input; the text says why."""


class Section:
    """Settings in the order in which they were set: those at the top, or of an application."""

    def __init__(self, output, name=None):
        self.output, self.name, self.settings = output, name, {}

    def set(self, name, value):
        low, high = RANGES.get(name, (value, value))
        if isinstance(value, int) and not low <= value <= high:
            kept = min(max(value, low), high)
            self.tell(name, f"{value} is beyond the limits, so {kept} stands here")
            value = kept
        self.settings[name] = value

    def add(self, name, values):
        """More items of a list."""
        self.settings.setdefault(name, []).extend(values)

    def get(self, name, default=None):
        return self.settings.get(name, default)

    def tell(self, subject, text):
        self.output.tell(f"{self.name}: {subject}" if self.name else subject, text)


CRITERIA = {"host", "path", "method", "header", "source"}


class Routes:
    """Routes in their order. Behind one that takes every request there can be no other."""

    def __init__(self, output):
        self.output, self.rows, self.is_closed = output, [], False

    def add(self, route):
        if self.is_closed:
            self.output.tell(settings_line(route), "no request gets as far as this")
            return
        if "files" in route and not os.path.isdir(route["files"]):
            self.output.tell(route["files"], "is not here; it must be when alicorn starts")
        self.rows.append({name: value[0] if isinstance(value, list) and len(value) == 1 else value
                          for name, value in route.items()})
        self.is_closed = not CRITERIA & route.keys()


class Output:
    """All of the file. One application stands at the top, more than one in a group, and so
    does one that routes lead to."""

    def __init__(self, source):
        self.source = source
        self.top = Section(self)
        self.apps = []
        self.lists = {"listeners": [], "routes": [], "logs": []}  # of dicts, by their settings
        self.told = []

    def app(self, name):
        self.apps.append(Section(self, app_name(name, [a.name for a in self.apps])))
        return self.apps[-1]

    def tell(self, subject, text):
        """Says something of what was read, once."""
        if (subject, text) not in self.told:
            self.told.append((subject, text))

    def text(self):
        blocks = [comment(self.source, self.told), settings_text(self.top.settings)]
        if self.apps:
            blocks.append("applications: {\n" + "".join(
                f"\t{app.name}: {{\n{settings_text(app.settings, 2)}\t}};\n"
                for app in self.apps) + "};\n")
        blocks += [settings_text({name: groups}) for name, groups in self.lists.items() if groups]
        return "\n".join(block for block in blocks if block)


def app_name(text, taken):
    """A name that libconfig takes, and that no other application has."""
    name = re.sub(r"[^-A-Za-z0-9_]", "_", text)
    if not re.match(r"[A-Za-z]", name):
        name = "app_" + name
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name}_{number}"
    return unique


def comment(source, told):
    lines = [f"Made of {source} by alicorn-convert."]
    if told:
        lines += ["", "What is otherwise here, or has no counterpart:"]
    subjects = {}
    for subject, text in told:
        subjects.setdefault(text, []).append(subject)
    for text, of in subjects.items():
        lines += textwrap.wrap(f"{printable(', '.join(of))}: {printable(text)}", WIDTH - 4,
                               initial_indent="* ", subsequent_indent="  ",
                               break_long_words=False, break_on_hyphens=False)
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def printable(text):
    """On one line, whatever was read."""
    return re.sub(r"[^ -~\xa1-\U0010ffff]", " ", text)


def settings_text(settings, depth=0):
    indent = "\t" * depth
    return "".join(f"{indent}{name} = {value_text(value, indent)};\n"
                   for name, value in settings.items())


def settings_line(settings):
    return "{ " + settings_text(settings).replace("\n", " ") + "}"


def group_text(settings, indent):
    """In braces, on one line where it fits."""
    line = settings_line(settings)
    if len(line) + 8 * len(indent) <= WIDTH and "\t" not in line:
        return indent + line
    return f"{indent}{{\n{settings_text(settings, len(indent) + 1)}{indent}}}"


def value_text(value, indent=""):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) + ("L" if value > 2 ** 31 - 1 else "")
    if isinstance(value, dict):
        return value_text([f"{key}={item}" for key, item in value.items()], indent)
    if isinstance(value, (list, tuple)) and any(isinstance(item, dict) for item in value):
        return "(\n" + ",\n".join(group_text(g, indent + "\t") for g in value) + f"\n{indent})"
    if isinstance(value, (list, tuple)):
        items = [quoted(item) for item in value]
        line = "[ " + ", ".join(items) + " ]"
        if not items:
            return "[]"
        if len(line) <= WIDTH - 32:
            return line
        return "[\n" + ",\n".join(f"{indent}\t{item}" for item in items) + f"\n{indent}]"
    return quoted(value)


ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\f": "\\f"}


def quoted(text):
    return '"' + re.sub(r'[\\"\x00-\x1f]', lambda c: ESCAPES.get(
        c[0], f"\\x{ord(c[0]):02x}"), str(text)) + '"'


# ---- What several kinds of input need ----------------------------------------------------


def absolute(path, folder):
    """Relative paths of a file begin in its folder, and nobody knows where this one will
    lie."""
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def split_words(text, comments=False):
    """As a shell does it."""
    try:
        return shlex.split(text, comments)
    except ValueError as error:
        raise Unusable(f"{text}: {error}") from None


def unix_socket(text, folder):
    """unix:PATH with an absolute path."""
    path = text[len("unix:"):] if text.startswith("unix:") else text
    if path.startswith("//"):
        path = path[2:]
    return "unix:" + absolute(path, folder)


def octal(mode):
    return f"{mode:04o}"
