"""The binding of examples/binding: a language that the program knows nothing of."""

import signal

import pytest

from conftest import ALICORN, TOP

BINDING = ALICORN.parent / "examples/binding/javascript.so"

pytestmark = pytest.mark.skipif(not BINDING.exists(), reason="duktape-dev is not installed")


@pytest.fixture
def run(server, tmp_path):
    def start(script=None, wait=True, **settings):
        if script is not None:
            (tmp_path / "app.js").write_text(script)
        return server(apps={"app": {"target": f"binding:{BINDING}:app.js", "bind": "127.0.0.1:0",
                                    "chdir": str(TOP / "examples/binding") if script is None
                                    else str(tmp_path), **settings}}, wait=wait)
    return start


def test_requests_and_their_bodies(run):
    s = run()
    r = s.get("/a", "POST", body=b"x" * 10)
    assert r.status == 200 and r.field("X-Engine") == "Duktape"
    assert r.text == "Hello from JavaScript\npath /a\nrequest 1\nsent xxxxxxxxxx\n"
    large = s.get("/b", "POST", body=b"y" * 3_000_000)
    assert large.text.endswith("y\n") and len(large.text) > 3_000_000
    s.wait_log("app: POST /b")


def test_what_a_script_throws_is_logged_and_the_next_request_served(run):
    s = run()
    assert s.get("/fail").status == 500
    s.wait_log(r"Error: as was asked for.*handle \(app.js")
    assert "request 2" in s.get("/").text


@pytest.mark.parametrize("response, told", [
    ("{ status: '200 OK', headers: { 'a b': 'c' }, body: '' }", "this head cannot be sent"),
    ("{ status: 'fine', headers: {}, body: '' }", "this head cannot be sent"),
    ("{ get status() { throw new Error('no status') }, headers: {} }", "no status"),
    ("many()", "more than 64 headers"), ("null", "TypeError"), ("undefined", "TypeError"),
])
def test_responses_that_are_none(run, response, told):
    s = run("function many() { var h = {}; for (var i = 0; i < 65; i++) h['x' + i] = i;"
            " return { status: '200 OK', headers: h, body: '' } }\n"
            f"function handle(request) {{ return {response} }}\n")
    assert s.get("/").status == 500
    s.wait_log(told)


@pytest.mark.parametrize("script, told", [
    ("function handle(", r"app\.js: SyntaxError"), ("throw new Error('at load')", "at load"),
    ("var handle = 1", r"no function handle\(request\)"),
])
def test_scripts_that_cannot_be_loaded(run, script, told):
    s = run(script, wait=False)
    assert s.wait() == 4
    s.wait_log(f"cannot load binding:.*{told}")


def test_a_script_that_does_not_end(run):
    s = run("function handle(request) { for (;;); }\n", timeout=1)
    assert s.get("/").status == 504


def test_it_is_shared_by_a_prototype_and_reloaded(run):
    s = run(workers=2, preload_app=True)
    s.wait_workers(2)
    assert s.get("/").status == 200
    s.signal(signal.SIGHUP)
    s.wait_log("reload.*done|reloaded|generation 2")
    assert s.get("/").status == 200
