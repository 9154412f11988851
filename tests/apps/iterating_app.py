"""Applications that work between requests, in each way."""

import json

import alicorn


class Application:
    def __init__(self):
        self.steps, self.wanted, self.pauses = 0, 0, 0

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/go":
            self.wanted += int(environ["QUERY_STRING"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [json.dumps({"steps": self.steps, "pauses": self.pauses}).encode()]


class Simulation(Application):
    """As many steps as /go?N says; it pauses when these are done."""

    def __iter__(self):
        return self

    def __next__(self):
        if self.steps >= self.wanted:
            self.pauses += 1
            raise alicorn.PauseIteration
        self.steps += 1
        if self.steps == 13:
            raise ValueError("step 13")


class Generating(Application):
    """The same by a generator, which ends after 100 steps."""

    def __iter__(self):
        while self.steps < 100:
            if self.steps >= self.wanted:
                self.pauses += 1
                yield alicorn.PauseIteration
            else:
                self.steps += 1
                yield


simulation = Simulation()
generating = Generating()
plain = Application()
