"""Commands that start gunicorn: of a service of systemd, of a Procfile, or as they are
typed."""

import os
import re

from .gunicorn import convert_words
from .output import Unusable, absolute, split_words

# ---- A command ---------------------------------------------------------------------------

GUNICORN = re.compile(r"gunicorn[\d.]*(\.py)?$")
SHELLS = {"sh", "bash", "dash", "ash", "zsh"}
QUIET = {"exec", "env"}


VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")

# What alicorn takes from its own environment if nothing else says it.
WORKERS = r"(-w|--workers)=\$\{?WEB_CONCURRENCY\b"
PORT = r"(-b|--bind)=(0\.0\.0\.0)?:\$\{?PORT\b"


def expand(output, words, env):
    """Puts the values of variables into the words. An option is left out if nobody knows
    its value here."""
    done = []
    several = sum(word.split("=")[0] in ("-b", "--bind") for word in words) > 1
    for word in words:
        takes = bool(done) and done[-1].startswith("-") and not word.startswith("-")
        option = f"{done[-1]}={word}" if takes else word
        filled = fill(output, word, option, env, WORKERS if several else f"{WORKERS}|{PORT}")
        if filled is not None:
            done.append(filled)
        elif takes:
            done.pop()
    return done


def fill(output, word, option, env, own):
    """None: it is left out."""
    for found in VARIABLE.finditer(word):
        name, default = found[1] or found[3], found[2]
        if name in env:
            continue
        if re.match(own, option):
            output.tell(f"${name}", "is taken from the environment, as with gunicorn"
                        + (f"; without it the value was {default}" if default else ""))
            return None
        if default:
            output.tell(f"${name}", f"its default, {default}, stands here")
        elif re.match("(-b|--bind)=", option):
            output.tell(f"${name}", "is not known here; in bind 8000 stands for it")
            env = {**env, name: "8000"}
        else:
            output.tell(f"${name}", f"is not known here, so {option} is left out")
            return None
    return VARIABLE.sub(lambda found: env.get(found[1] or found[3], found[2]), word)


def convert_command(output, words, folder, env):
    """Finds gunicorn among the words, behind whatever starts it."""
    env, before = dict(env), []
    while words:
        word, words = words[0], words[1:]
        variable = re.match(r"([A-Za-z_]\w*)=(.*)", word, re.S)
        program = os.path.basename(word)
        if variable:
            env[variable[1]] = variable[2]
            if variable[1] != "VIRTUAL_ENV":
                output.top.add("raw_env", [word])
        elif program in SHELLS and len(words) > 1 and re.match(r"-\w*c$", words[0]):
            return convert_command(output, shell_words(output, words[1]), folder, env)
        elif word == "cd" and len(words) > 1:
            folder, words = absolute(words[0].rstrip(";"), folder), words[1:]
        elif GUNICORN.match(program) and not word.startswith("-"):
            return convert_found(output, word, words, before, folder, env)
        elif word == "-m" and words and re.match(r"gunicorn(\.|$)", words[0]):
            return convert_found(output, before.pop() if before else "", words[1:], before,
                                 folder, env)
        elif program not in QUIET and word not in ("&&", ";"):
            before.append(word)
    raise Unusable("the command does not start gunicorn: " + " ".join(before))


def shell_words(output, text):
    words = split_words(text, comments=True)
    for i, word in enumerate(words):
        if re.match(r"\d?>|\|", word):
            output.tell(" ".join(words[i:]), "what follows the command is the shell's, and is "
                        "left out; see errorlog and accesslog")
            return words[:i]
    return words


def convert_found(output, program, words, before, folder, env):
    if before:
        output.tell(" ".join(before), "stands before gunicorn, and is left out; if it gives the "
                    "environment, raw_env or the service can, and what instruments Python can be "
                    "called by the application")
    find_environment(output, program, folder, env)
    convert_words(output, expand(output, words, env), folder, env)


def find_environment(output, program, folder, env):
    """The virtual environment that gunicorn is in, by its path."""
    found = re.match(r"(.*)/bin/[^/]*$", absolute(program, folder)) if "/" in program else None
    venv = found[1] if found else env.get("VIRTUAL_ENV")
    if not venv or re.match(r"/usr(/local)?$|/$", venv) or venv.endswith("/.local"):
        return
    output.top.set("venv", venv)
    if not os.path.exists(os.path.join(venv, "pyvenv.cfg")):
        output.tell("venv", f"{venv} is taken for a virtual environment, by the path of gunicorn")


# ---- Units of systemd --------------------------------------------------------------------


def unit_lines(text):
    """(section, key, value) of each line; a backslash joins it with the next one."""
    section = ""
    for line in re.sub(r"\\\n[ \t]*", " ", text).splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and line[0] not in "#;" and "=" in line:
            key, value = line.split("=", 1)
            yield section, key.strip(), value.strip()


def unit_values(path):
    """A dict of lists; an empty assignment forgets those before it."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for section, key, value in unit_lines(file.read()):
            values = found.setdefault(f"{section}.{key}", [])
            values.append(value)
            if not value:
                values.clear()
    return found


def unit_environment(output, found, folder):
    env = {}
    for text in found.get("Service.Environment", []):
        env.update(word.split("=", 1) for word in split_words(text) if "=" in word)
    for path in found.get("Service.EnvironmentFile", []):
        file = absolute(path.lstrip("-"), folder)
        if os.path.exists(file):
            with open(file, encoding="utf-8") as lines:
                for line in lines:
                    if "=" in line and not line.lstrip().startswith(("#", ";")):
                        name, value = line.strip().split("=", 1)
                        env[name] = "".join(split_words(value))
        elif not path.startswith("-"):
            output.tell("EnvironmentFile", f"{file} is not here; its variables are unknown")
    return env


def sockets_of(path, found):
    """Addresses of the socket unit that goes with the service; None: there is none."""
    own = os.path.splitext(os.path.basename(path))[0] + ".socket"
    named = " ".join(sum((found.get(key, []) for key in (
        "Service.Sockets", "Unit.Requires", "Unit.Wants", "Unit.BindsTo", "Install.Also")),
        [])).split()
    named = [name for name in named if name.endswith(".socket")]
    for name in [*named, own]:
        file = os.path.join(os.path.dirname(os.path.abspath(path)), name)
        if os.path.exists(file):
            return [socket_address(a) for a in unit_values(file).get("Socket.ListenStream", [])]
    return ["fd://3"] if named else None


def socket_address(text):
    if text.startswith("/"):
        return "unix:" + text
    return f"[::]:{text}" if text.isdigit() else text


def convert_unit(output, path, words):
    if words:
        raise Unusable("nothing may follow the name of a unit")
    found = unit_values(path)
    commands = found.get("Service.ExecStart", [])
    if not commands:
        raise Unusable(f"{path}: there is no ExecStart in [Service]")
    folder = (found.get("Service.WorkingDirectory") or ["/"])[-1].lstrip("-")
    if folder.startswith("~"):
        output.tell("WorkingDirectory", "the home folder is taken for /")
        folder = "/"
    folder = specifiers(output, folder)
    env = unit_environment(output, found, folder)
    command = [specifiers(output, word) for word in split_words(commands[-1].lstrip("@-:+!"))]
    convert_command(output, command, folder, env)
    sockets = sockets_of(path, found)
    if sockets:
        output.top.set("bind", sockets)
        output.tell("bind", "is what systemd opens, by the socket unit; it goes with the service "
                    "as before")
    tell_unit(output, found)


def specifiers(output, text):
    """%i and the like are for systemd to replace, and stand in the unit alone."""
    if re.search(r"%[a-zA-Z]", text):
        output.tell("%", f"{text}: a file has no such place-holders; write their values")
    return text.replace("%%", "%")


def tell_unit(output, found):
    output.tell("ExecStart", "becomes the path of alicorn, -c, and the name of this file; the "
                "other lines of the unit can stay, Type=notify and ExecReload too")
    if not found.get("Service.User") and "user" not in output.top.settings:
        output.tell("user", "the service has none, so root starts the server, and it must be told "
                    "whom the application runs as: user = \"www-data\", or User= in the unit")


# ---- Procfiles ---------------------------------------------------------------------------


def convert_procfile(output, path, words):
    """The process that words name, else web, else the first one that starts gunicorn."""
    with open(path, encoding="utf-8") as file:
        processes = dict(line.strip().split(":", 1) for line in file
                         if re.match(r"\s*[\w-]+\s*:", line))
    starting = [name for name, command in processes.items() if "gunicorn" in command]
    if not starting:
        raise Unusable(f"{path}: no process starts gunicorn")
    name = words[0] if words else "web" if "web" in starting else starting[0]
    if name not in processes:
        raise Unusable(f"{path}: there is no process {name}")
    for other in processes:
        if other != name:
            output.tell(other, "another process of the Procfile, which is started as before")
    convert_command(output, shell_words(output, processes[name]),
                    os.path.dirname(os.path.abspath(path)), {})


def convert_typed(output, _, words):
    convert_command(output, words, os.getcwd(), dict(os.environ))
