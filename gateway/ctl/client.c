#include "gateway/ctl/client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocols/buffer.h"

enum { PIECE = 65536, TRIES = 40, PAUSE_MS = 50 };

static const char *
explain(const char *path, const char *what)
{
	static char text[PATH_MAX + 256];

	snprintf(text, sizeof(text), "%s: %s", path, what);
	return text;
}

/* ---- To the server ---- */

/* At the end of an upgrade the socket of one server takes the place of another's: for a
 * moment the file is there, and nobody behind it. */
static int
connect_patiently(int fd, const struct sockaddr_un *name)
{
	for (int i = 0; i < TRIES; i++) {
		if (connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0)
			return 0;
		if (errno != ECONNREFUSED && errno != EAGAIN)
			return -1;
		poll(NULL, 0, PAUSE_MS);
	}
	return -1;
}

static const char *
explain_connect(const char *path, int error, enum ctl_status *status)
{
	static char text[PATH_MAX + 256];

	*status = error == ENOENT || error == ECONNREFUSED ? CTL_NO_SERVER : CTL_FAILED;
	if (*status == CTL_NO_SERVER) {
		snprintf(text, sizeof(text),
			"no server listens on %s: does it run, and is its "
			"control_socket set to that?",
			path);
		return text;
	}
	if (error == EACCES)
		return explain(path,
			"Permission denied: see control_socket_mode and control_users "
			"in alicorn.conf(5)");
	return explain(path, strerror(error));
}

static const char *
open_socket(const char *path, int *fd, enum ctl_status *status)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	*status = CTL_FAILED;
	if (strlen(path) >= sizeof(name.sun_path))
		return explain(path, "the path is too long for a socket");
	memcpy(name.sun_path, path, strlen(path));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd == -1)
		return strerror(errno);
	if (connect_patiently(*fd, &name) == 0)
		return NULL;
	return explain_connect(path, errno, status);
}

/* As a shell reads it: what is not plain in quotes, which are left for those within. */
static void
add_word(struct buffer *line, const char *word)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+-_./:=,%@";

	if (*word != '\0' && word[strspn(word, plain)] == '\0') {
		buffer_add_str(line, word);
		buffer_add_char(line, ' ');
		return;
	}
	buffer_add_char(line, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			buffer_add_str(line, "'\\''");
		else
			buffer_add_char(line, *word);
	}
	buffer_add_str(line, "' ");
}

/* What does not fit into the socket at once is no command. */
static const char *
send_words(int fd, const char *const *words, size_t n, enum ctl_status *status)
{
	struct buffer line = { 0 };
	const char *reason = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strchr(words[i], '\n') != NULL) {
			*status = CTL_USAGE;
			reason = "a word of the command has two lines";
		}
		add_word(&line, words[i]);
	}
	buffer_add_char(&line, '\n');
	if (line.failed)
		reason = strerror(ENOMEM);
	/* Who is refused is told why all the same. */
	if (reason == NULL && send(fd, line.ptr, line.len, MSG_NOSIGNAL) == -1 &&
		errno != EPIPE)
		reason = strerror(errno);
	buffer_release(&line);
	return reason;
}

/* ---- From the server ---- */

static const struct {
	struct slice word;
	enum ctl_status status;
} outcomes[] = {
	{ SLICE_INIT("ok\n"), CTL_DONE },
	{ SLICE_INIT("failed\n"), CTL_FAILED },
	{ SLICE_INIT("usage\n"), CTL_USAGE },
};

/* Takes the first line off, when it has come; false: it has not. */
static bool
take_outcome(struct buffer *in, enum ctl_status *status)
{
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		struct slice word = outcomes[i].word;
		if (!slice_starts(buffer_slice(in), word))
			continue;
		*status = outcomes[i].status;
		buffer_consume(in, word.len);
		return true;
	}
	return false;
}

static const char *
receive(int fd, ctl_take_fn *take, void *arg, enum ctl_status *status)
{
	struct buffer in = { 0 };
	bool has_begun = false;
	ssize_t n = 1;
	char *room;

	while (n > 0 && (room = buffer_reserve(&in, PIECE)) != NULL) {
		n = recv(fd, room, PIECE, 0);
		if (n > 0)
			in.len += (size_t)n;
		has_begun = has_begun || take_outcome(&in, status);
		if (has_begun && in.len > 0) {
			take(arg, *status, buffer_slice(&in));
			in.len = 0;
		}
		if (n == -1 && errno == EINTR)
			n = 1;
	}
	buffer_release(&in);
	return has_begun ? NULL : "the server has gone without an answer";
}

const char *
client_ask(const char *path, const char *const *words, size_t n, ctl_take_fn *take,
	void *arg, enum ctl_status *status)
{
	int fd = -1;
	const char *reason = open_socket(path, &fd, status);

	if (reason == NULL)
		reason = send_words(fd, words, n, status);
	if (reason == NULL)
		reason = receive(fd, take, arg, status);
	if (fd != -1)
		close(fd);
	return reason;
}
