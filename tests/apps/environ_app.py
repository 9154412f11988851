"""Tells its environ and the body, under any server."""

import json


def tell(value):
    return value if isinstance(value, (str, bool, tuple)) else type(value).__name__


def application(environ, start_response):
    told = {name: tell(value) for name, value in environ.items()}
    told["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
