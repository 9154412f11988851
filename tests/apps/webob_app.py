"""A WebOb application, as WebTest's users write them; and one that shows its environ."""

import json

from webob import Request, Response, exc
from webob.dec import wsgify


@wsgify
def application(request):
    if request.path == "/":
        return Response(f"<form action='/form' method='post'><input name='a' value='1'>"
                        f"<input type='submit' name='go' value='yes'></form>"
                        f"<a href='{request.relative_url('next')}'>next</a>")
    if request.path == "/form":
        request.make_body_seekable()
        response = Response(json_body={"a": request.POST.getall("a"), "size": len(request.body)})
        response.set_cookie("seen", "form", max_age=360)
        return response
    if request.path == "/cookies":
        return Response(json_body=dict(request.cookies))
    if request.path == "/range":
        return Response(b"0123456789" * 100, conditional_response=True, accept_ranges="bytes",
                        content_type="application/octet-stream")
    if request.path == "/hello":
        return Request.blank("/cookies").get_response(application)
    if request.path == "/away":
        raise exc.HTTPSeeOther(location="/cookies")
    raise exc.HTTPNotFound()


def environ(environ, start_response):
    """What of the environ JSON has a form for, and how much came."""
    shown = {k: v for k, v in environ.items() if isinstance(v, (str, bool, tuple))}
    shown["types"] = {k: type(v).__name__ for k, v in environ.items() if k not in shown}
    shown["body"] = environ["wsgi.input"].read().decode("latin-1")
    body = json.dumps(shown).encode()
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]
