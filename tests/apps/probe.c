/*
 * The application of the tests: each path behaves well or badly in one way. Its
 * arguments stand in the query: /sleep?ms=100.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alicorn.h"

static const struct al_header plain[] = { { .name = "Content-Type",
	.value = "text/plain" } };

/* ---- Helpers ---- */

/* The text of an argument of the query, "" when it is missing. */
static const char *
argument(struct al_request *req, const char *name)
{
	static _Thread_local char value[4096];
	const char *at = al_env(req, "QUERY_STRING");
	size_t n = strlen(name);

	for (; at != NULL && *at != '\0'; at += strcspn(at, "&"), at += *at == '&') {
		if (strncmp(at, name, n) == 0 && at[n] == '=') {
			snprintf(value, sizeof(value), "%.*s",
				(int)strcspn(at + n + 1, "&"), at + n + 1);
			return value;
		}
	}
	return "";
}

static long long
number(struct al_request *req, const char *name, long long missing)
{
	const char *text = argument(req, name);

	return *text == '\0' ? missing : strtoll(text, NULL, 10);
}

static void
pause_ms(long long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		;
}

static int
reply(struct al_request *req, const char *text)
{
	if (al_start(req, "200 OK", plain, 1) == -1)
		return AL_ERROR;
	return al_write(req, text, strlen(text)) == -1 ? AL_ERROR : AL_DONE;
}

/* Begins a response with this Content-Length, or with none when it is negative. */
static int
start_length(struct al_request *req, long long length)
{
	char text[32];
	struct al_header headers[] = { plain[0], { "Content-Length", text, 0, 0 } };

	snprintf(text, sizeof(text), "%lld", length);
	return al_start(req, "200 OK", headers, length < 0 ? 1 : 2);
}

static void
crash(void)
{
	volatile int *nowhere = NULL;

	*nowhere = 1;
}

/* ---- What is asked and answered ---- */

static int
hello(struct al_request *req)
{
	return reply(req, "hello\n");
}

static int
show_pid(struct al_request *req)
{
	char text[32];

	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	return reply(req, text);
}

static int
show_env(struct al_request *req)
{
	size_t n;
	const struct al_var *vars = al_env_all(req, &n);

	if (al_start(req, "200 OK", plain, 1) == -1)
		return AL_ERROR;
	for (size_t i = 0; i < n; i++) {
		if (al_write(req, vars[i].name, vars[i].name_len) == -1 ||
			al_write(req, "=", 1) == -1 ||
			al_write(req, vars[i].value, vars[i].value_len) == -1 ||
			al_write(req, "\n", 1) == -1)
			return AL_ERROR;
	}
	return AL_DONE;
}

static int
show_option(struct al_request *req)
{
	const char *value =
		al_option(argument(req, "name"), (size_t)number(req, "i", 0));

	return reply(req, value == NULL ? "(none)" : value);
}

static int
write_log(struct al_request *req)
{
	al_log(req, AL_WARNING, "probe says\r\n[1] forged \033[31m line");
	return reply(req, "logged\n");
}

/* /wait?for=FILE: the application takes as long as the test says. */
static int
wait_for_file(struct al_request *req)
{
	const char *path = argument(req, "for");

	while (access(path, F_OK) != 0)
		pause_ms(5);
	return show_pid(req);
}

/* /compute?for=FILE: the same, without a rest. */
static int
compute_for_file(struct al_request *req)
{
	const char *path = argument(req, "for");

	while (access(path, F_OK) != 0)
		;
	return show_pid(req);
}

/* ---- Bodies ---- */

static int
echo(struct al_request *req)
{
	char piece[65536];
	ssize_t n;

	if (start_length(req, (long long)al_body_length(req)) == -1)
		return AL_ERROR;
	while ((n = al_read(req, piece, sizeof(piece))) > 0) {
		if (al_write(req, piece, (size_t)n) == -1)
			return AL_ERROR;
	}
	return n == 0 ? AL_DONE : AL_ERROR;
}

/* Adler-32 (RFC 1950 section 8.2), which zlib.adler32 of Python computes too. */
static uint32_t
adler32(uint32_t sum, const unsigned char *data, size_t n)
{
	uint32_t a = sum & 0xffff, b = sum >> 16;

	while (n > 0) {
		size_t round = n < 5552 ? n : 5552;

		n -= round;
		for (; round > 0; round--) {
			a += *data++;
			b += a;
		}
		a %= 65521;
		b %= 65521;
	}
	return b << 16 | a;
}

/* The length, the sum and where the body was kept. */
static int
sum(struct al_request *req)
{
	static _Thread_local unsigned char piece[1 << 18];
	const char *where = "none";
	char text[128];
	uint32_t sum = 1;
	uint64_t length = 0;
	ssize_t n;

	while ((n = al_read(req, piece, sizeof(piece))) > 0) {
		sum = adler32(sum, piece, (size_t)n);
		length += (uint64_t)n;
	}
	if (n == -1 || length != al_body_length(req))
		return AL_ERROR;
	if (al_body_memory(req) != NULL)
		where = "memory";
	else if (al_body_fd(req) != -1)
		where = "file";
	snprintf(
		text, sizeof(text), "%" PRIu64 " %" PRIu32 " %s\n", length, sum, where);
	return reply(req, text);
}

/* The length of each line of the body. */
static int
lines(struct al_request *req)
{
	char line[1000], text[32];
	ssize_t n;

	if (al_start(req, "200 OK", plain, 1) == -1)
		return AL_ERROR;
	while ((n = al_readline(req, line, sizeof(line))) > 0) {
		int length = snprintf(text, sizeof(text), "%zd ", n);

		if (al_write(req, text, (size_t)length) == -1)
			return AL_ERROR;
	}
	return n == 0 ? AL_DONE : AL_ERROR;
}

/* ---- Responses ---- */

/* /big?bytes=N&length=1: counted bytes, with a Content-Length or without. */
static int
big(struct al_request *req)
{
	static _Thread_local char piece[65536];
	long long left = number(req, "bytes", 0);

	if (start_length(req, number(req, "length", 0) != 0 ? left : -1) == -1)
		return AL_ERROR;
	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = (char)('a' + i % 23);
	while (left > 0) {
		size_t n =
			left < (long long)sizeof(piece) ? (size_t)left : sizeof(piece);

		if (al_write(req, piece, n) == -1)
			return AL_ERROR;
		left -= (long long)n;
	}
	return AL_DONE;
}

/* /file?path=P&offset=O&length=L, and say=N for a Content-Length. */
static int
file(struct al_request *req)
{
	int fd = open(argument(req, "path"), O_RDONLY | O_CLOEXEC);
	int result = AL_ERROR;

	if (fd != -1 && start_length(req, number(req, "say", -1)) == 0 &&
		al_sendfile(req, fd, number(req, "offset", 0),
			number(req, "length", -1)) == 0)
		result = AL_DONE;
	if (fd != -1)
		close(fd);
	return result;
}

/* /status?code=404: a body is always written. */
static int
status(struct al_request *req)
{
	if (al_start(req, argument(req, "code"), plain, 1) == -1)
		return AL_ERROR;
	return al_write(req, "status\n", 7) == -1 ? AL_ERROR : AL_DONE;
}

/* /error-page?status=405 */
static int
error_page(struct al_request *req)
{
	static const struct al_header allow[] = { { .name = "Allow", .value = "GET" } };
	unsigned status = (unsigned)number(req, "status", 0);

	return al_error(req, status, allow, 1) == -1 ? AL_ERROR : AL_DONE;
}

/* /pieces?n=3&ms=50: flushed one by one. */
static int
pieces(struct al_request *req)
{
	long long n = number(req, "n", 3), ms = number(req, "ms", 0);

	if (al_start(req, "200 OK", plain, 1) == -1)
		return AL_ERROR;
	for (long long i = 0; i < n; i++) {
		if (al_write(req, "piece\n", 6) == -1 || al_flush(req) == -1)
			return AL_ERROR;
		pause_ms(ms);
	}
	return AL_DONE;
}

/* Fields that are the gateway's business, beside one that is not. */
static int
hop_by_hop(struct al_request *req)
{
	static const struct al_header headers[] = {
		{ .name = "Connection", .value = "X-Hop, keep-alive" },
		{ .name = "Keep-Alive", .value = "timeout=99" },
		{ .name = "Transfer-Encoding", .value = "gzip, chunked" },
		{ .name = "Upgrade", .value = "h2c" },
		{ .name = "X-Stays", .value = "yes" },
	};

	if (al_start(req, "200", headers, 5) == -1)
		return AL_ERROR;
	return al_write(req, "hop\n", 4) == -1 ? AL_ERROR : AL_DONE;
}

/* Tells by which errno each bad head is refused; then starts twice, properly. */
static int
bad_heads(struct al_request *req)
{
	static const struct al_header bad[][2] = {
		{ { "X-A", "a\r\nX-B: b", 0, 0 } },
		{ { "X-A", "a\nb", 0, 0 } },
		{ { "X-A", "a\0b", 0, 3 } },
		{ { "X A", "a", 0, 0 } },
		{ { "X-A:", "a", 0, 0 } },
		{ { "Content-Length", "1", 0, 0 }, { "Content-Length", "2", 0, 0 } },
		{ { "Content-Length", "-1", 0, 0 } },
	};
	static const char *const statuses[] = { "", "99", "600", "2000 OK", "abc",
		"200 a\r\nb" };
	static const struct al_header good = { "X-Second", "yes", 0, 0 };
	char text[64] = "";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		text[n++] =
			al_start(req, "200 OK", bad[i], bad[i][1].name ? 2 : 1) == -1 &&
				errno == EINVAL
			? 'y'
			: 'n';
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		text[n++] = al_start(req, statuses[i], NULL, 0) == -1 && errno == EINVAL
			? 'y'
			: 'n';
	if (al_start(req, "500 First", plain, 1) == -1 ||
		al_start(req, "201 Second", &good, 1) == -1 ||
		al_write(req, text, n) == -1 || al_flush(req) == -1)
		return AL_ERROR;
	text[0] = al_start(req, "200 OK", plain, 1) == -1 && errno == EALREADY ? 'y'
									       : 'n';
	return al_write(req, text, 1) == -1 ? AL_ERROR : AL_DONE;
}

/* /length?say=10&write=3: a Content-Length that may be wrong. */
static int
length(struct al_request *req)
{
	long long n = number(req, "write", 0);

	if (start_length(req, number(req, "say", 0)) == -1)
		return AL_ERROR;
	while (n-- > 0) {
		if (al_write(req, "x", 1) == -1)
			return AL_ERROR;
	}
	return AL_DONE;
}

static int
silent(struct al_request *req)
{
	(void)req;
	return AL_DONE;
}

/* Hints, and then the answer says what the calls gave. */
static int
hints(struct al_request *req)
{
	static const struct al_header link[] = {
		{ .name = "Link", .value = "</style.css>; rel=preload" },
	};
	static const struct al_header bad[] = { { .name = "Link", .value = "a\r\nb" } };
	char text[64];
	int first = al_inform(req, "103 Early Hints", link, 1);
	int second = al_inform(req, "103", link, 1);
	int refused = al_inform(req, "200 OK", link, 1) + al_inform(req, "103", bad, 1);

	if (al_start(req, "200 OK", plain, 1) == -1 || al_flush(req) == -1)
		return AL_ERROR;
	int late = al_inform(req, "103", link, 1);
	int n = snprintf(
		text, sizeof(text), "%d %d %d %d\n", first, second, refused, late);
	return al_write(req, text, (size_t)n) == -1 ? AL_ERROR : AL_DONE;
}

/* ---- Failures ---- */

static int
error(struct al_request *req)
{
	(void)req;
	return AL_ERROR;
}

static int
slow(struct al_request *req)
{
	pause_ms(number(req, "ms", 1000));
	return show_pid(req);
}

/* Cannot be told anything: only SIGKILL ends it. */
static void
ignore_everything(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (;;)
		pause();
}

static int
stuck(struct al_request *req)
{
	(void)req;
	ignore_everything();
	return AL_DONE;
}

static int
segfault(struct al_request *req)
{
	(void)req;
	crash();
	return AL_DONE;
}

static int
leave_at_once(struct al_request *req)
{
	_exit((int)number(req, "status", 0));
}

static int
leave(struct al_request *req)
{
	exit((int)number(req, "status", 0));
}

static int
do_abort(struct al_request *req)
{
	(void)req;
	abort();
}

static int
be_killed(struct al_request *req)
{
	(void)req;
	raise(SIGKILL);
	return AL_DONE;
}

/* /partial?then=crash&length=1: some bytes leave, then it crashes, exits, gets stuck or
 * fails. */
static int
partial(struct al_request *req)
{
	char then[8];

	snprintf(then, sizeof(then), "%s", argument(req, "then"));
	if (start_length(req, number(req, "length", 0) != 0 ? 100 : -1) == -1 ||
		al_write(req, "partial\n", 8) == -1 || al_flush(req) == -1)
		return AL_ERROR;
	if (strcmp(then, "crash") == 0)
		crash();
	if (strcmp(then, "exit") == 0)
		_exit(0);
	if (strcmp(then, "stuck") == 0)
		ignore_everything();
	return AL_ERROR;
}

/* ---- The table of paths ---- */

static const struct {
	const char *path;
	int (*answer)(struct al_request *req);
} paths[] = {
	{ "/hello", hello },
	{ "/pid", show_pid },
	{ "/env", show_env },
	{ "/option", show_option },
	{ "/log", write_log },
	{ "/echo", echo },
	{ "/sum", sum },
	{ "/lines", lines },
	{ "/big", big },
	{ "/file", file },
	{ "/status", status },
	{ "/error-page", error_page },
	{ "/pieces", pieces },
	{ "/hop-by-hop", hop_by_hop },
	{ "/bad-heads", bad_heads },
	{ "/length", length },
	{ "/hints", hints },
	{ "/silent", silent },
	{ "/error", error },
	{ "/sleep", slow },
	{ "/wait", wait_for_file },
	{ "/compute", compute_for_file },
	{ "/stuck", stuck },
	{ "/crash", segfault },
	{ "/_exit", leave_at_once },
	{ "/exit", leave },
	{ "/abort", do_abort },
	{ "/kill", be_killed },
	{ "/partial", partial },
};

const uint32_t al_flags = AL_THREAD_SAFE;

int
al_handle(void *app, struct al_request *req)
{
	const char *path = al_env(req, "PATH_INFO");

	(void)app;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		if (strcmp(path, paths[i].path) == 0)
			return paths[i].answer(req);
	}
	if (al_start(req, "404 Not Found", plain, 1) == -1)
		return AL_ERROR;
	return al_write(req, "no such path\n", 13) == -1 ? AL_ERROR : AL_DONE;
}

/*
 * Another application, c:probe.so:mirror, answers any path with what it was given: each
 * variable as NAME=VALUE and a NUL, then a NUL, then the body.
 */
int
mirror(void *app, struct al_request *req)
{
	size_t n;
	const struct al_var *vars = al_env_all(req, &n);
	char piece[65536];
	ssize_t got;

	(void)app;
	if (al_start(req, "200 OK", plain, 1) == -1)
		return AL_ERROR;
	for (size_t i = 0; i < n; i++) {
		if (al_write(req, vars[i].name, vars[i].name_len) == -1 ||
			al_write(req, "=", 1) == -1 ||
			al_write(req, vars[i].value, vars[i].value_len + 1) == -1)
			return AL_ERROR;
	}
	if (al_write(req, "", 1) == -1)
		return AL_ERROR;
	while ((got = al_read(req, piece, sizeof(piece))) > 0) {
		if (al_write(req, piece, (size_t)got) == -1)
			return AL_ERROR;
	}
	return got == 0 ? AL_DONE : AL_ERROR;
}

/* PROBE_INIT says how loading goes. */
const char *
al_worker_init(void **app)
{
	const char *how = getenv("PROBE_INIT");

	*app = NULL;
	if (how == NULL)
		return NULL;
	if (strcmp(how, "crash") == 0)
		crash();
	if (strcmp(how, "exit") == 0)
		_exit(0);
	if (strcmp(how, "slow") == 0) {
		pause_ms(1500);
		return NULL;
	}
	return "the probe does not want to";
}

void
al_worker_exit(void *app)
{
	(void)app;
	al_log(NULL, AL_INFO, "the probe says goodbye");
}
