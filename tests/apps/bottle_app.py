"""What people do with Bottle."""

import hashlib
import os

import bottle
from bottle import abort, redirect, request, response, static_file

application = bottle.Bottle()
SECRET = "not a secret"


@application.route("/")
def index():
    return bottle.template("<h1>{{title}}</h1>\n", title="Bottle & co")


@application.route("/hello/<name>")
def hello(name):
    return f"hello {name}\n"


@application.post("/form")
def form():
    return {"form": {k: request.forms.getall(k) for k in sorted(request.forms)},
            "query": dict(request.query.decode())}


@application.post("/upload")
def upload():
    told = {}
    for name, file in sorted(request.files.items()):
        data = file.file.read()
        told[name] = [file.raw_filename, len(data), hashlib.sha256(data).hexdigest()]
    return told


@application.route("/json", method=["POST", "PUT", "PATCH", "DELETE"])
def json():
    return {"method": request.method, "received": request.json}


@application.route("/count")
def count():
    n = int(request.get_cookie("count", "0", secret=SECRET)) + 1
    response.set_cookie("count", str(n), secret=SECRET, httponly=True)
    return str(n)


@application.route("/stream")
def stream():
    for i in range(5):
        yield f"{i} {request.path}\n"


@application.route("/file/<name>")
def file(name):
    return static_file(name, root=os.path.dirname(os.path.abspath(__file__)),
                       download=request.query.get("download", False))


@application.route("/away")
def away():
    redirect("/hello/again?a=1")


@application.route("/auth")
@bottle.auth_basic(lambda user, password: (user, password) == ("ann", "secret"))
def auth():
    return request.auth[0]


@application.route("/gone")
def gone():
    abort(410, "no longer here")


@application.route("/fail")
def fail():
    raise RuntimeError("failed on purpose")
