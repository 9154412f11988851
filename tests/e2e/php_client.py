#!/usr/bin/python3
"""A browser that installs and uses PHP applications, whatever server they run in.

    php_client.py dokuwiki|wordpress|adminer URL [SOCKET]

Each function begins with an application that was just unpacked and raises when something is
not as it should be. SOCKET is that of the MariaDB server, where `app` has all rights.
"""

import re
import struct
import sys
import zlib
from html.parser import HTMLParser

import requests

USER, PASSWORD = "admin", "correct-Horse-7"


def picture(width=400, height=300):
    """A PNG image."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    rows = b"".join(b"\0" + bytes((x * y) % 256 for x in range(3 * width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Forms(HTMLParser):
    """The fields of each form of a page, by name."""

    def __init__(self, page):
        super().__init__()
        self.forms, self.area = [], None
        self.feed(page)

    def handle_starttag(self, tag, pairs):
        attributes = dict(pairs)
        name = attributes.get("name")
        if tag == "form":
            self.forms.append({})
        elif self.forms and tag == "textarea":
            self.area = name
            self.forms[-1][name] = ""
        elif self.forms and tag == "input" and name:
            kind = attributes.get("type", "text")
            if kind not in ("submit", "button", "file", "checkbox", "radio"):
                self.forms[-1][name] = attributes.get("value") or ""

    def handle_data(self, data):
        if self.area:
            self.forms[-1][self.area] += data

    def handle_endtag(self, tag):
        self.area = None if tag == "textarea" else self.area


class Browser:
    def __init__(self, base):
        self.base = base.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, method, path, status=200, **how):
        url = path if path.startswith("http") else self.base + path
        r = self.session.request(method, url, timeout=60, **how)
        assert r.status_code == status, (method, path, r.status_code, r.text[:2000])
        return r

    def get(self, path, **how):
        return self.ask("GET", path, **how)

    def post(self, path, data=None, **how):
        return self.ask("POST", path, data=data, **how)

    def form(self, path, field):
        """The first form of the page that has this field."""
        page = self.get(path).text
        found = [form for form in Forms(page).forms if field in form]
        assert found, (path, field, page[:2000])
        return found[0]


def dokuwiki(browser):
    assert 'name="d[title]"' in browser.get("/install.php").text
    done = browser.post("/install.php", {
        "d[title]": "Wiki", "d[acl]": "on", "d[superuser]": USER, "d[fullname]": "A. D. Min",
        "d[email]": "a@example.org", "d[password]": PASSWORD, "d[confirm]": PASSWORD,
        "d[policy]": "0", "d[license]": "cc-by", "submit": "Save"})
    assert "success" in done.text.lower(), done.text[:3000]
    login = browser.form("/doku.php?id=start&do=login", "u")
    browser.post("/doku.php?id=start", {**login, "u": USER, "p": PASSWORD})
    edit = browser.form("/doku.php?id=start&do=edit", "wikitext")
    edit["wikitext"] = "====== Grüße ======\nA **bold** word. {{test.png}}\n" + "word " * 20000
    browser.post("/doku.php?id=start", {**edit, "summary": "first", "do[save]": "Save"})
    assert "<strong>bold</strong>" in browser.get("/doku.php?id=start").text
    assert "Grüße" in Browser(browser.base).get("/doku.php/start").text
    image = picture()
    browser.post("/lib/exe/ajax.php", {"call": "mediaupload", "ns": "", "mediaid": "test.png",
                                       "sectok": edit["sectok"]},
                 files={"qqfile": ("test.png", image, "image/png")})
    sent = browser.get("/lib/exe/fetch.php?media=test.png")
    assert (sent.content, sent.headers["Content-Type"]) == (image, "image/png")
    browser.get("/lib/exe/fetch.php?media=test.png", status=304,
                headers={"If-Modified-Since": sent.headers["Last-Modified"]})
    assert "{" in browser.get("/lib/exe/css.php?s=all&t=dokuwiki").text
    browser.get("/lib/exe/fetch.php?media=nowhere.png", status=404)


def wordpress(browser, sends_files):
    title = {"weblog_title": "Blog", "user_name": USER, "admin_password": PASSWORD,
             "admin_password2": PASSWORD, "pw_weak": "on", "admin_email": "a@example.org"}
    browser.get("/wp-admin/install.php")
    done = browser.post("/wp-admin/install.php?step=2", title)
    assert "wp-login.php" in done.text and "error-page" not in done.text, done.text[:3000]
    browser.get("/wp-login.php")
    inside = browser.post("/wp-login.php", {"log": USER, "pwd": PASSWORD, "testcookie": "1",
                                            "redirect_to": browser.base + "/wp-admin/"})
    assert inside.url.endswith("/wp-admin/") and "Dashboard" in inside.text
    nonce = browser.get("/wp-admin/admin-ajax.php?action=rest-nonce").text
    fields = {"X-WP-Nonce": nonce}
    page = browser.post("/index.php?rest_route=/wp/v2/pages", status=201, headers=fields, json={
        "title": "Page", "content": "first", "status": "publish"}).json()
    browser.ask("PUT", f"/index.php?rest_route=/wp/v2/pages/{page['id']}", headers=fields,
                json={"content": "Grüße " * 20000})
    assert "Grüße" in Browser(browser.base).get(f"/?page_id={page['id']}").text
    image = picture()
    media = browser.post("/index.php?rest_route=/wp/v2/media", status=201, headers=fields,
                         files={"file": ("test.png", image, "image/png")}).json()
    sizes = media["media_details"]
    assert (sizes["width"], sizes["height"]) == (400, 300) and "thumbnail" in sizes["sizes"]
    if sends_files:
        sent = browser.get(media["source_url"])
        assert (sent.content, sent.headers["Content-Type"]) == (image, "image/png")
        browser.get("/wp-includes/css/buttons.css")
    # Paths that no file has, or behind /index.php, as WordPress thinks best for the server.
    links = browser.form("/wp-admin/options-permalink.php", "permalink_structure")
    browser.post("/wp-admin/options-permalink.php",
                 {**links, "permalink_structure": "/%postname%/"})
    path = f"/index.php?rest_route=/wp/v2/pages/{page['id']}"
    assert "Grüße" in browser.get(browser.get(path).json()["link"]).text
    browser.get("/no/such/page", status=404)


def adminer(browser, socket):
    browser.get("/adminer.php")
    login = {"driver": "server", "server": f"localhost:{socket}", "username": "app",
             "password": PASSWORD, "db": "mysql"}
    inside = browser.post("/adminer.php", {f"auth[{name}]": text for name, text in login.items()})
    assert "Logout" in inside.text, inside.text[:3000]
    command = browser.form(inside.url + "&sql=", "query")
    done = browser.post(inside.url + "&sql=", {**command, "query": "SELECT 6 * 7 AS answer"})
    assert ">42" in done.text


def main():
    application, base, socket = (sys.argv[1:] + [None])[:3]
    browser = Browser(base)
    if application == "dokuwiki":
        dokuwiki(browser)
    elif application == "wordpress":
        wordpress(browser, True)
    else:
        adminer(browser, socket)


if __name__ == "__main__":
    main()
