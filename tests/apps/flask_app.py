"""What people do with Flask: routes, forms, uploads, sessions, templates, streams, errors."""

import hashlib
import io

from flask import (Flask, Response, abort, jsonify, redirect, render_template_string,
                   request, send_file, session, stream_with_context, url_for)

app = Flask(__name__)
app.secret_key = "not a secret"


@app.route("/")
def index():
    return render_template_string("<h1>{{ title }}</h1>\n", title="Flask & co")


@app.route("/hello/<name>")
def hello(name):
    return f"hello {name}\n"


@app.route("/form", methods=["POST"])
def form():
    return jsonify(form=request.form.to_dict(flat=False), args=request.args.to_dict())


@app.route("/json", methods=["POST", "PUT"])
def json():
    return jsonify(received=request.get_json(), method=request.method)


@app.route("/upload", methods=["POST"])
def upload():
    told = {}
    for field, file in request.files.items():
        data = file.read()
        told[field] = {"name": file.filename, "size": len(data),
                       "sha256": hashlib.sha256(data).hexdigest()}
    return jsonify(files=told, form=request.form.to_dict())


@app.route("/raw", methods=["POST"])
def raw():
    data = request.get_data()
    return jsonify(size=len(data), sha256=hashlib.sha256(data).hexdigest(),
                   content_length=request.content_length)


@app.route("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


@app.route("/login", methods=["POST"])
def login():
    session["user"] = request.form["user"]
    return redirect(url_for("me"))


@app.route("/me")
def me():
    if "user" not in session:
        abort(403)
    return session["user"]


@app.route("/stream")
def stream():
    @stream_with_context
    def generate():
        for i in range(5):
            yield f"{i} {request.path}\n"
    return Response(generate(), mimetype="text/plain")


@app.route("/file")
def file():
    """This file itself, by wsgi.file_wrapper; conditional and range requests too."""
    return send_file(__file__, mimetype="text/x-python", conditional=True)


@app.route("/memory")
def memory():
    return send_file(io.BytesIO(b"0123456789" * 1000), mimetype="text/plain")


@app.route("/where")
def where():
    return jsonify(url=request.url, host=request.host, scheme=request.scheme,
                   root=request.script_root, address=request.remote_addr)


@app.route("/fail")
def fail():
    raise RuntimeError("failed on purpose")


@app.errorhandler(404)
def missing(error):
    return "nothing here\n", 404
