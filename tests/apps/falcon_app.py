"""What people do with Falcon: resources, media, multipart forms, streams, errors, sinks,
middleware, static routes."""

import hashlib
import os

import falcon

HERE = os.path.dirname(os.path.abspath(__file__))


class Things:
    things = {}

    def on_get(self, req, resp):
        resp.media = {"things": sorted(self.things), "query": req.params, "uri": req.uri,
                      "accept": req.accept, "address": req.remote_addr}

    def on_post(self, req, resp):
        thing = req.get_media()
        self.things[thing["name"]] = thing
        resp.status = falcon.HTTP_201
        resp.location = "/things/" + thing["name"]


class Thing:
    def on_get(self, req, resp, name):
        if name not in Things.things:
            raise falcon.HTTPNotFound(title="no such thing")
        resp.media = Things.things[name]
        resp.etag = hashlib.md5(repr(resp.media).encode()).hexdigest()

    def on_delete(self, req, resp, name):
        Things.things.pop(name, None)
        resp.status = falcon.HTTP_204


class Upload:
    def on_post(self, req, resp):
        resp.media = [[part.name, part.filename, hashlib.sha256(part.stream.read()).hexdigest()]
                      for part in req.get_media()]

    def on_put(self, req, resp):
        """As it comes, by parts."""
        digest, size = hashlib.sha256(), 0
        while True:
            piece = req.bounded_stream.read(50_000)
            if not piece:
                break
            digest.update(piece)
            size += len(piece)
        resp.media = {"size": size, "sha256": digest.hexdigest()}


class Streams:
    def on_get(self, req, resp):
        resp.content_type = "text/plain"
        resp.stream = (f"{i}\n".encode() for i in range(5))

    def on_head(self, req, resp):
        resp.content_type = "text/plain"
        resp.set_header("X-Head", "yes")


class File:
    def on_get(self, req, resp):
        path = os.path.join(HERE, "falcon_app.py")
        resp.content_type = "text/x-python"
        resp.set_stream(open(path, "rb"), os.path.getsize(path))


class Fails:
    def on_get(self, req, resp):
        raise RuntimeError("failed on purpose")


class Stamp:
    def process_response(self, req, resp, resource, succeeded):
        resp.set_header("X-Succeeded", str(succeeded))


application = falcon.App(middleware=[Stamp()])
application.add_route("/things", Things())
application.add_route("/things/{name}", Thing())
application.add_route("/upload", Upload())
application.add_route("/stream", Streams())
application.add_route("/file", File())
application.add_route("/fail", Fails())
application.add_static_route("/static", HERE)
application.add_sink(lambda req, resp, **_: setattr(resp, "text", f"sink {req.path}"), "/sink")
