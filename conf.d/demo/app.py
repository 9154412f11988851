"""A WSGI application that shows what it is given: the environ, a form's text, and which
process answers. What a client sent is escaped wherever it appears."""

import itertools
import os
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

FORM_MAX = 10_000

STYLE = (Path(__file__).parent / "www/look.css").read_text()

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from Python</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
<main>
<h1>Hello from Python</h1>
<p>Process {pid}, its request number {request}.</p>
<form method="post"><input name="text" maxlength="200" placeholder="Some text" \
aria-label="Some text"> <button>Send</button></form>
{echo}<h2>The environ</h2>
<table>
{rows}</table>
</main>
</html>
"""

requests = itertools.count(1)


def echo(environ):
    if environ["REQUEST_METHOD"] != "POST":
        return ""
    form = parse_qs(environ["wsgi.input"].read(FORM_MAX).decode("utf-8", "replace"))
    text = form.get("text", [""])[0]
    return f"<p>You sent:</p>\n<blockquote>{escape(text)}</blockquote>\n"


def app(environ, start_response):
    rows = "".join(f"<tr><td>{escape(name)}<td>{escape(str(value))}\n"
                   for name, value in environ.items())
    page = PAGE.format(style=STYLE, pid=os.getpid(), request=next(requests),
                       echo=echo(environ), rows=rows)
    body = page.encode("utf-8", "replace")
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"),
                              ("Content-Length", str(len(body)))])
    return [body]
