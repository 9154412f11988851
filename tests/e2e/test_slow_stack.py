"""slow_stack_after: the log is told what a request is doing that takes long, and it goes on."""

import re
import time

import pytest

from conftest import ALICORN, SANITIZED

PYTHON = '''
import time

def dawdle(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        dawdle(float(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
'''

LUA = '''
local function dawdle(seconds)
    local stop = os.time() + seconds
    while os.time() < stop do end
end

return { run = function(env)
    if env.PATH_INFO == "/slow" then dawdle(tonumber(env.QUERY_STRING)) end
    return 200, { ["Content-Type"] = "text/plain" }, coroutine.wrap(function()
        coroutine.yield("done")
    end)
end }
'''

PHP = '''<?php
function dawdle($seconds) {
    $end = microtime(true) + $seconds;
    while (microtime(true) < $end);
}
if (isset($_GET["slow"])) dawdle((float)$_GET["slow"]);
echo "done";
'''

KINDS = {
    "python": ("app.py", PYTHON, "python:{}", "/slow?2", "in dawdle", {}),
    "threads": ("app.py", PYTHON, "python:{}", "/slow?4", "in dawdle", {"threads": 2}),
    "lua": ("app.lua", LUA, "lua:{}", "/slow?3", "dawdle", {}),
    "php": ("app.php", PHP, "php:{}", "/?slow=2", "dawdle()", {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_stack_in_the_log(server, tmp_path, kind):
    name, text, target, path, stack, settings = KINDS[kind]
    language = target.split(":")[0]
    if not (ALICORN.parent / f"{language}.so").exists():
        pytest.skip(f"the binding of {language} is not built")
    if kind == "php" and SANITIZED:
        pytest.skip("PHP's opcode cache cannot be loaded beside a sanitizer")
    (tmp_path / name).write_text(text)
    s = server(apps={"shop": {"target": target.format(tmp_path / name), "bind": "127.0.0.1:0"}},
               slow_stack_after=200, workers=1, **settings)
    before = s.wait_workers(1)
    fast = s.get("/")
    assert fast.status == 200 and fast.body == b"done"
    answer = s.get(path)
    assert answer.status == 200 and answer.body == b"done"
    s.wait_log(r"shop.* GET /.*its stack is asked for")
    s.wait_log(re.escape(stack))
    assert s.log().count("its stack is asked for") == 1
    assert s.workers() == before
    s.stop()


def test_none_without_the_setting(server, tmp_path):
    (tmp_path / "app.py").write_text(PYTHON)
    if not (ALICORN.parent / "python.so").exists():
        pytest.skip("the binding of Python is not built")
    s = server(apps={"shop": {"target": f"python:{tmp_path}/app.py", "bind": "127.0.0.1:0"}})
    assert s.get("/slow?0.5").body == b"done"
    time.sleep(0.1)
    assert "dawdle" not in s.log()
