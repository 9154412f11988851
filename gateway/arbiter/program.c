#include "gateway/arbiter/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/logger/log.h"

enum { PROGRAM_BACKLOG = 1024 };

static const char scheme[] = "unix:";
static const char file[] = "/socket";

static const char *
explain(const char *what, const char *on)
{
	static char reason[512];

	snprintf(reason, sizeof(reason), "%s %s: %s", what, on, strerror(errno));
	return reason;
}

/* Binds and listens. Blocking, as the programs expect it. */
static int
listen_at(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len >= sizeof(name.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name.sun_path, path, len);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0 &&
		listen(fd, PROGRAM_BACKLOG) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

const char *
program_socket_open(struct program_socket *s, const struct identity *identity)
{
	const char *tmpdir = getenv("TMPDIR");
	const char *reason;
	char *folder;

	s->fd = -1;
	s->target = NULL;
	if (tmpdir == NULL || tmpdir[0] != '/')
		tmpdir = "/tmp";
	if (asprintf(&folder, "%s/alicorn-XXXXXX", tmpdir) == -1)
		return strerror(ENOMEM);
	if (mkdtemp(folder) == NULL) { /* with mode 0700 */
		reason = explain("make folder", folder);
		free(folder);
		return reason;
	}
	if (asprintf(&s->target, "%s%s%s", scheme, folder, file) == -1) {
		s->target = NULL;
		reason = strerror(ENOMEM);
		rmdir(folder);
	} else {
		const char *path = program_path(s->target);
		s->fd = listen_at(path);
		reason = NULL;
		if (s->fd == -1)
			reason = explain("listen on", path);
		else if (chown(path, identity->uid, identity->gid) == -1 ||
			chown(folder, identity->uid, identity->gid) == -1)
			reason = explain("give away", path);
		if (reason != NULL)
			program_socket_close(s);
	}
	free(folder);
	return reason;
}

const char *
program_path(const char *target)
{
	return target + strlen(scheme);
}

void
program_socket_close(struct program_socket *s)
{
	if (s->fd != -1)
		close(s->fd);
	if (s->target != NULL) {
		char *path = s->target + strlen(scheme);
		unlink(path);
		path[strlen(path) - strlen(file)] = '\0';
		rmdir(path);
	}
	free(s->target);
	*s = (struct program_socket)PROGRAM_SOCKET_CLOSED;
}

/* Descriptors 0, 1, 2 for the program; the others close when it begins. */
static int
arrange_descriptors(int socket)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null == -1 || dup2(log_fd(), 2) == -1 || dup2(socket, 0) == -1 ||
		dup2(null, 1) == -1)
		return -1;
	return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void
set_environment(const struct text_list *raw_env)
{
	/* It lists the TCP addresses of web servers, and a program that is given it has
	 * to refuse all who come by another way, such as a unix socket. */
	unsetenv("FCGI_WEB_SERVER_ADDRS");
	for (size_t i = 0; i < raw_env->n; i++)
		putenv((char *)(uintptr_t)raw_env->items[i]);
	/* The arbiter multiplies and renews the processes, so php-cgi shall not. */
	setenv("PHP_FCGI_MAX_REQUESTS", "0", 0);
	setenv("PHP_FCGI_CHILDREN", "0", 0);
}

const char *
program_exec(const struct app_settings *app, int socket)
{
	const char *const *command = app->what.command;

	/* A group of its own, to reach the program's own children too; and its end, if
	 * the arbiter is killed, as nobody would stop it then. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (arrange_descriptors(socket) == -1)
		return explain("arrange descriptors for", command[0]);
	if (app->chdir != NULL && chdir(app->chdir) == -1)
		return explain("chdir", app->chdir);
	set_environment(&app->raw_env);
	execvp(command[0], (char *const *)(uintptr_t)command);
	return explain("exec", command[0]);
}
