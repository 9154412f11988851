/*
 * alicornctl: asks a running server, and tells it what to do, by its control socket. It
 * knows no command but `top`: what the words mean is the server's business.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/ctl/client.h"
#include "gateway/ctl/screen.h"
#include "protocols/buffer.h"

#define DEFAULT_SOCKET "/run/alicorn/control.sock"

enum { WORDS_MAX = 64, TOP_EVERY_MS = 1000 };

struct words {
	const char *items[WORDS_MAX];
	size_t n;
};

static void
add(struct words *words, const char *word)
{
	if (words->n < WORDS_MAX)
		words->items[words->n++] = word;
}

/* What is for people is made for the terminal that it is shown on. */
static void
add_style(struct words *words, bool has_columns)
{
	static char columns[16];
	struct screen_size size = screen_size();

	if (has_columns && size.columns > 0) {
		snprintf(columns, sizeof(columns), "%u", size.columns);
		add(words, "--columns");
		add(words, columns);
	}
	if (screen_has_colours())
		add(words, "--colours");
}

/* ---- A command ---- */

struct showing {
	bool json;
};

/* Errors are for people, unless a program has asked. */
static void
show(void *arg, enum ctl_status status, struct slice piece)
{
	const struct showing *s = arg;
	FILE *to = status == CTL_DONE || s->json ? stdout : stderr;

	fwrite(piece.ptr, 1, piece.len, to);
	fflush(to);
}

static enum ctl_status
complain(enum ctl_status status, const char *reason)
{
	fprintf(stderr, "alicornctl: %s\n", reason);
	return status;
}

static bool
has_table(const char *command)
{
	return strcmp(command, "status") == 0 || strcmp(command, "slow") == 0;
}

static enum ctl_status
ask(const char *path, struct words *words, bool json)
{
	struct showing showing = { .json = json };
	enum ctl_status status;

	if (json)
		add(words, "--json");
	else if (has_table(words->items[0]))
		add_style(words, true);
	else if (strcmp(words->items[0], "trace") == 0)
		add_style(words, false);
	const char *reason =
		client_ask(path, words->items, words->n, show, &showing, &status);
	return reason == NULL ? status : complain(status, reason);
}

/* ---- top ---- */

static void
keep(void *arg, enum ctl_status status, struct slice piece)
{
	struct buffer *text = arg;

	(void)status;
	buffer_add_slice(text, piece);
}

/* Asks and draws once. NULL, or why the screen is to be left. */
static const char *
draw(const char *path, struct buffer *text, enum ctl_status *status)
{
	struct words words = { 0 };

	add(&words, "status");
	add(&words, "--workers");
	add_style(&words, true);
	buffer_reset(text);
	const char *reason = client_ask(path, words.items, words.n, keep, text, status);
	if (reason != NULL)
		return reason;
	buffer_add_char(text, '\0');
	if (text->failed)
		return strerror(ENOMEM);
	text->len--;
	if (*status != CTL_DONE)
		return text->ptr;
	screen_draw(buffer_slice(text), "q: end");
	return NULL;
}

static enum ctl_status
top(const char *path)
{
	struct buffer text = { 0 };
	enum ctl_status status = CTL_DONE;
	const char *reason = NULL;

	if (!screen_begin())
		return complain(CTL_USAGE,
			"top needs a terminal; for programs there is status --json");
	do
		reason = draw(path, &text, &status);
	while (reason == NULL && screen_wait(TOP_EVERY_MS) != SCREEN_QUIT);
	screen_end();
	if (reason != NULL)
		complain(status, reason);
	buffer_release(&text);
	return reason != NULL ? status : CTL_DONE;
}

/* ---- The command line ---- */

static const char help[] =
	"usage: alicornctl [-s SOCKET] [-j] COMMAND [ARGUMENT ...]\n"
	"\n"
	"  -s, --socket SOCKET  the control_socket of the server; $ALICORN_CONTROL or\n"
	"                       " DEFAULT_SOCKET " when not given\n"
	"  -j, --json           answer in JSON\n"
	"  -h, --help           this text\n"
	"  -v, --version        the version\n"
	"\n"
	"  status, top, slow, trace, routes, config    look at the server\n"
	"  reload, upgrade, reopen, stop, scale, recycle    change it\n"
	"  help    tells what each does, and its arguments\n"
	"\n"
	"Exit status: 0 done, 1 refused or failed, 2 usage, 3 no server there.\n";

static const struct option options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ 0 },
};

/* --json may stand behind the command, too. */
static bool
take_json(struct words *words)
{
	bool is_there = false;
	size_t kept = 0;

	for (size_t i = 0; i < words->n; i++) {
		if (strcmp(words->items[i], "--json") == 0)
			is_there = true;
		else
			words->items[kept++] = words->items[i];
	}
	words->n = kept;
	return is_there;
}

static enum ctl_status
run(const char *path, struct words *words, bool json)
{
	json |= take_json(words);
	if (words->n == 0) {
		fputs(help, stderr);
		return CTL_USAGE;
	}
	if (strcmp(words->items[0], "top") == 0 && words->n == 1 && !json)
		return top(path);
	return ask(path, words, json);
}

int
main(int argc, char **argv)
{
	const char *path = getenv("ALICORN_CONTROL");
	struct words words = { 0 };
	bool json = false;
	int option;

	/* The options end where the command begins. */
	while ((option = getopt_long(argc, argv, "+s:jhv", options, NULL)) != -1) {
		if (option == 's') {
			path = optarg;
		} else if (option == 'j') {
			json = true;
		} else if (option == 'h') {
			fputs(help, stdout);
			return CTL_DONE;
		} else if (option == 'v') {
			puts("alicornctl " ALICORN_VERSION);
			return CTL_DONE;
		} else {
			return CTL_USAGE;
		}
	}
	if (argc - optind > WORDS_MAX / 2)
		return (int)complain(CTL_USAGE, "too many words");
	for (int i = optind; i < argc; i++)
		add(&words, argv[i]);
	if (path == NULL || *path == '\0')
		path = DEFAULT_SOCKET;
	return (int)run(path, &words, json);
}
