"""Conway's Game of Life, steered over HTTP while it runs.

    alicorn -k iterating --chdir examples/simulation simulation:life

    curl http://127.0.0.1:8000/
    curl -d 'steps=100000' http://127.0.0.1:8000/
    curl -d 'steps=1000&born=36&survives=23' http://127.0.0.1:8000/
    curl -d 'steps=0' http://127.0.0.1:8000/

Between two requests an iterating worker calls next(life), which goes one generation further,
and raises PauseIteration when as many are done as it was told to. A request comes in between
two generations, so nothing of this needs a lock. The world is that of one worker: with
several, each has its own.
"""

import json
from collections import Counter
from urllib.parse import parse_qs

import alicorn

WIDTH, HEIGHT = 64, 32
FORM_MAX = 1024
CELLS = [(x, y) for y in range(HEIGHT) for x in range(WIDTH)]  # the edges meet
R_PENTOMINO = {(1, 0), (2, 0), (0, 1), (1, 1), (1, 2)}


class Life:
    def __init__(self):
        self.alive = {(WIDTH // 2 + x, HEIGHT // 2 + y) for x, y in R_PENTOMINO}
        self.born, self.survives = {3}, {2, 3}
        self.generation = self.to_go = 0

    # -- the simulation

    def __iter__(self):
        return self

    def __next__(self):
        if self.to_go == 0:
            raise alicorn.PauseIteration
        self.to_go -= 1
        self.step()

    def step(self):
        neighbours = Counter(((x + dx) % WIDTH, (y + dy) % HEIGHT) for x, y in self.alive
                             for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy)
        self.alive = {cell for cell in CELLS
                      if neighbours[cell] in (self.survives if cell in self.alive else self.born)}
        self.generation += 1

    # -- HTTP

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "POST":
            self.steer(parse_qs(environ["wsgi.input"].read(FORM_MAX).decode("latin-1")))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(self.state()).encode() + b"\n"]

    def steer(self, form):
        if "steps" in form:
            self.to_go = int(form["steps"][0])
        if "born" in form:
            self.born = set(map(int, form["born"][0]))
        if "survives" in form:
            self.survives = set(map(int, form["survives"][0]))

    def state(self):
        rows = ["".join("#" if (x, y) in self.alive else " " for x in range(WIDTH))
                for y in range(HEIGHT)]
        return {"generation": self.generation, "to_go": self.to_go, "alive": len(self.alive),
                "rows": rows}


life = Life()
