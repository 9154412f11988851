"""A site of Django in a single file: its settings, two pages, and the WSGI application. What
would be settings.py, urls.py, views.py and wsgi.py in a project of several."""

import os

from django.conf import settings

settings.configure(
    DEBUG=os.environ.get("DJANGO_DEBUG") == "1",
    SECRET_KEY="an example's, which keeps no secrets",
    ALLOWED_HOSTS=["*"],  # a site of its own names its hosts here
    ROOT_URLCONF=__name__,
    STATIC_URL="/static/",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)

from django.core.wsgi import get_wsgi_application  # noqa: E402 (needs the settings)
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils.html import format_html  # noqa: E402

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hello from Django</title>
<link rel="stylesheet" href="/static/site.css">
<link rel="icon" href="data:,">
<main>
<h1>Hello from Django</h1>
<p>{method} {path}, answered by process {pid}.</p>
</main>
</html>
"""


def hello(request, **_):
    return HttpResponse(format_html(PAGE, method=request.method, path=request.path,
                                    pid=os.getpid()))


def admin(request):
    return HttpResponse("For the keepers of this site.\n", content_type="text/plain")


urlpatterns = [path("", hello), path("pages/<str:name>/", hello), path("admin/", admin)]

application = get_wsgi_application()
