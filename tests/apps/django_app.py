"""What people do with Django, in one file: routes, forms, uploads (small ones in memory,
large ones in temporary files), sessions, CSRF, streams, files, errors."""

import hashlib

from django.conf import settings

settings.configure(
    SECRET_KEY="not a secret",
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    FILE_UPLOAD_MAX_MEMORY_SIZE=100_000,
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import (FileResponse, HttpResponse, HttpResponseForbidden,  # noqa: E402
                         HttpResponseRedirect, JsonResponse, StreamingHttpResponse)
from django.middleware.csrf import get_token  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402



def index(request):
    template = engines["django"].from_string("<h1>{{ title }}</h1>\n")
    return HttpResponse(template.render({"title": "Django & co"}))


def hello(request, name):
    return HttpResponse(f"hello {name}\n")


@csrf_exempt
def form(request):
    return JsonResponse({"form": dict(request.POST.lists()), "args": request.GET.dict()})


@csrf_exempt
def upload(request):
    told = {}
    for field, file in request.FILES.items():
        digest = hashlib.sha256()
        for chunk in file.chunks():
            digest.update(chunk)
        told[field] = {"name": file.name, "size": file.size, "kind": type(file).__name__,
                       "sha256": digest.hexdigest()}
    return JsonResponse({"files": told, "form": request.POST.dict()})


@csrf_exempt
def raw(request):
    return JsonResponse({"size": len(request.body),
                         "sha256": hashlib.sha256(request.body).hexdigest()})


def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse(str(request.session["count"]))


def token(request):
    return HttpResponse(get_token(request))


def login(request):
    """Takes the token of the above, or answers 403."""
    request.session["user"] = request.POST["user"]
    return HttpResponseRedirect("/me")


def me(request):
    if "user" not in request.session:
        return HttpResponseForbidden()
    return HttpResponse(request.session["user"])


def stream(request):
    return StreamingHttpResponse((f"{i}\n" for i in range(5)), content_type="text/plain")


def file(request):
    """This file itself, by wsgi.file_wrapper."""
    return FileResponse(open(__file__, "rb"), content_type="text/x-python")


def where(request):
    return JsonResponse({"url": request.build_absolute_uri(), "host": request.get_host(),
                         "scheme": request.scheme, "address": request.META["REMOTE_ADDR"]})


def fail(request):
    raise RuntimeError("failed on purpose")


urlpatterns = [
    path("", index), path("hello/<name>", hello), path("form", form), path("upload", upload),
    path("raw", raw), path("count", count), path("token", token), path("login", login),
    path("me", me), path("stream", stream), path("file", file), path("where", where),
    path("fail", fail),
]

application = get_wsgi_application()
