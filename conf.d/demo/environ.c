/* A page that shows what an application is given: the environ, a form's text, and which
 * process answers. What a client sent is escaped wherever it appears. */
#include <alicorn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STYLE_MAX = 16 * 1024, TEXT_MAX = 1024 };

/* What a worker keeps from request to request. */
struct state {
	unsigned long requests;
	char style[STYLE_MAX];
};

const char *
al_worker_init(void **app)
{
	struct state *state = calloc(1, sizeof(*state));
	FILE *f = fopen("look.css", "r");

	if (state == NULL || f == NULL)
		return "look.css cannot be read: is chdir set?";
	state->style[fread(state->style, 1, STYLE_MAX - 1, f)] = '\0';
	fclose(f);
	*app = state;
	return NULL;
}

void
al_worker_exit(void *app)
{
	free(app);
}

/* Small pieces need no care: the gateway gathers them. When the client has gone,
 * writing does nothing. */
static void
put(struct al_request *req, const char *text)
{
	al_write(req, text, strlen(text));
}

static void
put_escaped(struct al_request *req, const char *text)
{
	static const char *const escapes[128] = {
		['&'] = "&amp;",
		['<'] = "&lt;",
		['>'] = "&gt;",
		['"'] = "&quot;",
	};

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < sizeof(escapes) / sizeof(escapes[0]) && escapes[c] != NULL)
			put(req, escapes[c]);
		else
			al_write(req, text, 1);
	}
}

static void
put_environ(struct al_request *req)
{
	size_t n;
	const struct al_var *vars = al_env_all(req, &n);

	put(req, "<table>\n");
	for (size_t i = 0; i < n; i++) {
		put(req, "<tr><td>");
		put_escaped(req, vars[i].name);
		put(req, "<td>");
		put_escaped(req, vars[i].value);
		put(req, "\n");
	}
	put(req, "</table>\n");
}

/* The form is sent as text/plain, so that its text needs no decoding: "text=Hello\r\n".
 */
static void
put_echo(struct al_request *req)
{
	char text[TEXT_MAX];
	ssize_t n = al_read(req, text, sizeof(text) - 1);

	if (n <= 0)
		return;
	text[n] = '\0';
	put(req, "<p>You sent:</p>\n<blockquote>");
	put_escaped(req, strncmp(text, "text=", 5) == 0 ? text + 5 : text);
	put(req, "</blockquote>\n");
}

static void
put_page(struct al_request *req, const struct state *state)
{
	char facts[128];

	snprintf(facts, sizeof(facts), "Process %ld, its request number %lu.",
		(long)getpid(), state->requests);
	put(req,
		"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, "
		"initial-scale=1\">\n"
		"<title>Hello from C</title>\n<link rel=\"icon\" "
		"href=\"data:,\">\n<style>\n");
	put(req, state->style);
	put(req, "</style>\n<main>\n<h1>Hello from C</h1>\n<p>");
	put(req, facts);
	put(req,
		"</p>\n<form method=\"post\" enctype=\"text/plain\">"
		"<input name=\"text\" maxlength=\"200\" placeholder=\"Some text\" "
		"aria-label=\"Some text\"> <button>Send</button></form>\n");
	put_echo(req);
	put(req, "<h2>The environ</h2>\n");
	put_environ(req);
	put(req, "</main>\n</html>\n");
}

int
al_handle(void *app, struct al_request *req)
{
	static const struct al_header headers[] = {
		{ .name = "Content-Type", .value = "text/html; charset=utf-8" },
	};
	struct state *state = app;

	state->requests++;
	if (al_start(req, "200 OK", headers, 1) != 0)
		return AL_ERROR;
	put_page(req, state);
	return AL_DONE;
}
