#include "gateway/arbiter/trial.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/arbiter/confine.h"
#include "gateway/arbiter/limits.h"
#include "gateway/arbiter/privileges.h"
#include "gateway/common/channel.h"
#include "gateway/common/clock.h"

enum { SECOND_MS = 1000 };

/* What came out of it. Without a report or a reason it is still open. */
struct verdict {
	bool is_good;
	char reason[1024];
};

static void __attribute__((format(printf, 2, 3)))
set_reason(struct verdict *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->reason, sizeof(v->reason), format, args);
	va_end(args);
}

/* ---- Programs ---- */

/* The path that its environment will have. */
static const char *
path_of(const struct app_settings *app)
{
	const char *path = getenv("PATH");

	for (size_t i = 0; i < app->raw_env.n; i++)
		if (strncmp(app->raw_env.items[i], "PATH=", 5) == 0)
			path = app->raw_env.items[i] + 5;
	return path != NULL ? path : "/bin:/usr/bin";
}

/* 0, or -1 and errno. */
static int
check_executable(const char *file)
{
	struct stat st;

	if (access(file, X_OK) == -1 || stat(file, &st) == -1)
		return -1;
	errno = EACCES;
	return S_ISREG(st.st_mode) ? 0 : -1;
}

static bool
is_in_path(const char *program, const char *path)
{
	char file[PATH_MAX];

	for (const char *end; *path != '\0'; path = *end == ':' ? end + 1 : end) {
		end = path + strcspn(path, ":");
		int n = snprintf(file, sizeof(file), "%.*s/%s", (int)(end - path), path,
			program);
		if (n > 0 && (size_t)n < sizeof(file) && check_executable(file) == 0)
			return true;
	}
	return false;
}

/* A managed program is only looked for: it would wait for requests. */
static void
try_program(const struct app_settings *app, struct verdict *v)
{
	const char *program = app->what.command[0];

	if (app->chdir != NULL && access(app->chdir, X_OK) == -1)
		set_reason(v, "chdir %s: %s", app->chdir, strerror(errno));
	else if (*program != '/' && !is_in_path(program, path_of(app)))
		set_reason(v, "the program %s is not in the PATH", program);
	else if (*program == '/' && check_executable(program) == -1)
		set_reason(v, "%s: %s", program, strerror(errno));
	else
		v->is_good = true;
}

/* ---- What is loaded ---- */

/* The applications, of which nothing is open. */
static struct neighbours
introduce(const struct config *config)
{
	struct neighbours n = {
		.all = calloc(config->n_apps, sizeof(*n.all)),
		.sites = config->sites,
		.n_sites = config->n_sites,
	};

	if (n.all == NULL)
		exit(EXIT_BOOT);
	for (; n.n < config->n_apps; n.n++)
		n.all[n.n].app = &config->apps[n.n];
	return n;
}

static void __attribute__((noreturn)) live(const struct config *config,
	const struct app_settings *app, worker_fn *load, int channel)
{
	struct slot slot = { 0 };
	const struct neighbours neighbours = introduce(config);
	const struct heritage heritage = {
		.neighbours = &neighbours,
		.server = &config->server,
		.app = app,
		.target = app->what.spec,
		.slot = &slot,
		.channel = channel,
		.age = 1,
		.generation = 1,
	};

	confine(app, channel);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of the user forgets it */
	exit(load(&heritage));
}

static void
note_report(struct verdict *v, const struct imsg *m)
{
	v->is_good = m->type == MESSAGE_READY;
	if (m->type == MESSAGE_FAILED)
		set_reason(v, "%" SLICE_FMT, SLICE_ARG(m->payload));
}

/* Waits for a message, up to so many seconds: 1 and *m; 0: the time is over; -1: the
 * process has gone. */
static int
wait_message(struct channel *channel, struct imsg *m, int64_t seconds)
{
	uint64_t end = clock_ms() + (uint64_t)seconds * SECOND_MS;
	int got;

	while ((got = channel_receive(channel, m)) == 0) {
		struct pollfd news = { .fd = channel->fd, .events = POLLIN };
		uint64_t now = clock_ms();
		if (now >= end)
			break;
		poll(&news, 1, (int)(end - now));
	}
	return got;
}

/* Takes the report, and gives the application time to end properly after it. */
static void
watch(struct channel *channel, const struct app_settings *app, struct verdict *v)
{
	struct imsg m;
	int got;

	do
		got = wait_message(channel, &m, app->boot_timeout);
	while (got == 1 && m.type == MESSAGE_FILES);
	if (got == 0)
		set_reason(v, "not loaded within %d s, the boot_timeout",
			(int)app->boot_timeout);
	if (got != 1)
		return;
	note_report(v, &m);
	wait_message(channel, &m, app->graceful_timeout);
}

static void
bury(pid_t pid, struct verdict *v)
{
	int status = 0;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (v->is_good || v->reason[0] != '\0')
		return;
	if (WIFSIGNALED(status))
		set_reason(v, "its process was ended by signal %d (%s)",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		set_reason(v, "its process exited with status %d before it was ready",
			WEXITSTATUS(status));
}

static void
try_worker(const struct config *config, const struct app_settings *app, worker_fn *load,
	struct verdict *v)
{
	struct channel channel;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) ==
		-1) {
		set_reason(v, "make a channel: %s", strerror(errno));
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		live(config, app, load, ends[1]);
	}
	close(ends[1]);
	channel_init(&channel, ends[0]);
	if (pid == -1) {
		set_reason(v, "fork: %s", strerror(errno));
	} else {
		watch(&channel, app, v);
		bury(pid, v);
	}
	channel_release(&channel);
}

/* ---- All of them ---- */

enum exit_status
trial_run(const struct config *config, worker_fn *load)
{
	enum exit_status status = EXIT_DONE;
	const char *limit = limits_raise(config);

	if (limit != NULL) {
		fprintf(stderr, "%s\n", limit);
		status = EXIT_CONFIG;
	}
	for (size_t i = 0; i < config->n_apps; i++) {
		const struct app_settings *app = &config->apps[i];
		struct verdict v = { .is_good = false };
		const char *reason = privileges_check(app);
		if (reason != NULL)
			set_reason(&v, "%s", reason);
		else if (app->what.command != NULL)
			try_program(app, &v);
		else
			try_worker(config, app, load, &v);
		if (v.is_good) {
			printf("%s: ok\n", app->name);
		} else {
			fprintf(stderr, "%s: %s\n", app->name, v.reason);
			status = EXIT_CONFIG;
		}
		fflush(stdout);
	}
	return status;
}
