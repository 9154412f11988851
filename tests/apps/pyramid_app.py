"""What people do with Pyramid: routes, traversal, renderers, sessions, views of exceptions,
tweens, static files, responses of files."""

import os

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden, HTTPFound
from pyramid.response import FileResponse, Response
from pyramid.session import JSONSerializer, SignedCookieSessionFactory

HERE = os.path.dirname(os.path.abspath(__file__))


def index(request):
    return {"host": request.host, "url": request.url, "scheme": request.scheme,
            "client": request.client_addr, "method": request.method}


def hello(request):
    return Response(f"hello {request.matchdict['name']}\n", content_type="text/plain",
                    charset="utf-8")


def form(request):
    return {"post": sorted(request.POST.items()), "get": sorted(request.GET.items())}


def upload(request):
    data = request.POST["large"].file.read()
    return {"name": request.POST["large"].filename, "size": len(data), "sum": sum(data)}


def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return request.session["count"]


def away(request):
    return HTTPFound(request.route_url("hello", name="again"))


def forbidden(request):
    raise HTTPForbidden("not for you")


def file(request):
    return FileResponse(os.path.join(HERE, "pyramid_app.py"), request=request,
                        content_type="text/x-python")


def stream(request):
    return Response(app_iter=(f"{i}\n".encode() for i in range(5)), content_type="text/plain")


def conditional(request):
    response = Response("the same for ever", etag="one", conditional_response=True)
    response.cache_control.max_age = 60
    return response


def fail(request):
    raise ValueError("failed on purpose")


def failed(error, request):
    request.response.status = 500
    return {"error": str(error)}


def timing(handler, registry):
    def tween(request):
        response = handler(request)
        response.headers["X-Tween"] = "was here"
        return response
    return tween


def make(**settings):
    with Configurator(settings=settings) as config:
        config.set_session_factory(SignedCookieSessionFactory(
            "not a secret", serializer=JSONSerializer()))
        for name, path, view, renderer in [
                ("index", "/", index, "json"), ("hello", "/hello/{name}", hello, None),
                ("form", "/form", form, "json"), ("upload", "/upload", upload, "json"),
                ("count", "/count", count, "json"), ("away", "/away", away, None),
                ("forbidden", "/forbidden", forbidden, None), ("file", "/file", file, None),
                ("stream", "/stream", stream, None), ("fail", "/fail", fail, None),
                ("conditional", "/conditional", conditional, None)]:
            config.add_route(name, path)
            config.add_view(view, route_name=name, renderer=renderer)
        config.add_exception_view(failed, context=ValueError, renderer="json")
        config.add_static_view("static", HERE)
        config.add_tween("pyramid_app.timing")
        return config.make_wsgi_app()


application = make()
