def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    said = [environ.get(name, "") for name in
            ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR")]
    return ["|".join(["python", *said, str(len(environ["wsgi.input"].read()))]).encode()]
