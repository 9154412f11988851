/*
 * The end of a program is told by a descriptor of its process, which the loop watches:
 * no handler of SIGCHLD, and no pid that could be another's.
 */
#include "bindings/cgi/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bindings/cgi/exchange.h"

enum {
	KILL_MS = 2000, /* between TERM and KILL */
	STDERR_MAX = 64 * 1024, /* bytes that are logged of one program */
	DRAIN_READS = 17, /* of 4 KiB each: a pipe has 64, and then it says EAGAIN */
};

/* ---- stderr ---- */

static void
log_line(struct program *p)
{
	if (p->line_len != 0)
		al_log(p->req, AL_WARNING, "%s: %.*s", p->name, (int)p->line_len,
			p->line);
	p->line_len = 0;
}

static void
take_stderr(struct program *p, const char *data, size_t n)
{
	for (; n > 0 && p->logged < STDERR_MAX; n--, data++) {
		bool ends = *data == '\n' || *data == '\0';

		if (ends || p->line_len == sizeof(p->line))
			log_line(p);
		if (!ends)
			p->line[p->line_len++] = *data;
		if (++p->logged == STDERR_MAX) {
			log_line(p);
			al_log(p->req, AL_WARNING,
				"%s: the rest of its stderr is not logged", p->name);
		}
	}
}

static void
close_stderr(struct program *p)
{
	if (p->err_watch != NULL)
		al_unwatch(p->err_watch);
	p->err_watch = NULL;
	if (p->err != -1)
		close(p->err);
	p->err = -1;
}

/* As much as a pipe holds, so all of a program that has ended; one that writes without
 * end must not hold the worker up. True: there may be more. */
static bool
drain_some(struct program *p)
{
	char data[4096];

	for (int reads = 0; p->err != -1 && reads < DRAIN_READS; reads++) {
		ssize_t n = read(p->err, data, sizeof(data));
		if (n > 0)
			take_stderr(p, data, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			return false;
		else if (n == 0 || errno != EINTR)
			close_stderr(p);
	}
	return p->err != -1;
}

void
program_drain(struct program *p)
{
	drain_some(p);
}

/* A new watch tells at once of what is there still, after others had their turn. */
static void
on_stderr(struct al_watch *watch, unsigned events, void *arg)
{
	struct program *p = arg;

	(void)watch;
	(void)events;
	if (!drain_some(p))
		return;
	al_unwatch(p->err_watch);
	p->err_watch = al_watch(p->err, on_stderr, p);
	if (p->err_watch == NULL)
		close_stderr(p);
}

/* ---- The end ---- */

static void
program_free(struct program *p)
{
	close_stderr(p);
	if (p->pid_watch != NULL)
		al_unwatch(p->pid_watch);
	if (p->pidfd != -1)
		close(p->pidfd);
	if (p->timer != NULL)
		al_timer_free(p->timer);
	free(p->name);
	free(p);
}

/* Nobody needs it any more. */
static void
bury(struct program *p)
{
	program_drain(p);
	log_line(p);
	waitpid(p->pid, NULL, WNOHANG);
	LIST_REMOVE(p, next);
	program_free(p);
}

static void
signal_group(const struct program *p, int number)
{
	kill(-p->pid, number);
}

/* The last signal: nobody is left behind. */
static void
kill_group(struct program *p)
{
	signal_group(p, SIGKILL);
	p->terminated = false;
	if (p->state != PROGRAM_RUNNING)
		bury(p);
}

/* It has gone on for too long behind its response; or it did not end at TERM, or left
 * others of its group behind. */
static void
on_timer(void *arg)
{
	struct program *p = arg;

	if (!p->terminated) {
		al_log(NULL, AL_WARNING,
			"%s: still runs %u s after its response, is stopped", p->name,
			p->app->timeout_ms / 1000);
		program_kill(p);
		return;
	}
	kill_group(p);
}

/* Without a timer a program is left to itself. */
static void
set_timer(struct program *p, unsigned ms)
{
	if (p->timer != NULL)
		al_timer_reset(p->timer, ms);
	else
		p->timer = al_timer_new(ms, on_timer, p);
}

static bool
has_ended(struct program *p)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		info.si_pid == 0)
		return false;
	p->state = info.si_code == CLD_EXITED ? PROGRAM_EXITED : PROGRAM_KILLED;
	p->code = info.si_status;
	return true;
}

static void
on_end(struct al_watch *watch, unsigned events, void *arg)
{
	struct program *p = arg;
	struct cgi *app = p->app;

	(void)watch;
	(void)events;
	if (p->state != PROGRAM_RUNNING || !has_ended(p))
		return;
	app->running--;
	if (p->ended != NULL)
		p->ended(p->arg);
	else if (!p->terminated)
		bury(p);
	exchange_next(app);
}

static void
detach(struct program *p)
{
	program_drain(p);
	log_line(p);
	p->ended = NULL;
	p->req = NULL;
}

void
program_leave(struct program *p)
{
	detach(p);
	if (p->state != PROGRAM_RUNNING)
		bury(p);
	else if (p->app->timeout_ms != 0)
		set_timer(p, p->app->timeout_ms);
}

void
program_kill(struct program *p)
{
	detach(p);
	signal_group(p, SIGTERM);
	p->terminated = true;
	set_timer(p, KILL_MS);
	if (p->timer == NULL)
		kill_group(p);
}

void
programs_end(struct cgi *app)
{
	struct program *p;

	while ((p = LIST_FIRST(&app->programs)) != NULL) {
		signal_group(p, p->terminated ? SIGKILL : SIGTERM);
		bury(p);
	}
}

void
programs_kill_now(const struct cgi *app)
{
	struct program *p;

	LIST_FOREACH (p, &app->programs, next)
		signal_group(p, SIGKILL);
}

/* ---- The start ---- */

static char *
folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash == file ? strdup("/") : strndup(file, (size_t)(slash - file));
}

/* Every signal as at the beginning, none blocked, a session of its own. */
static int
set_attributes(posix_spawnattr_t *attributes)
{
	const short flags =
		POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t all, none;
	int error;

	sigfillset(&all);
	sigemptyset(&none);
	error = posix_spawnattr_setflags(attributes, flags);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &all);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	return error;
}

/* Three descriptors and no other. */
static int
set_actions(posix_spawn_file_actions_t *actions, const struct program_plan *plan,
	int err, const char *folder)
{
	const int from[] = { plan->in, plan->out, err };
	int error = 0;

	for (int to = 0; to < 3 && error == 0; to++)
		error = posix_spawn_file_actions_adddup2(actions, from[to], to);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, 3);
	if (error == 0)
		error = posix_spawn_file_actions_addchdir_np(actions, folder);
	return error;
}

static int
spawn(struct program *p, const struct program_plan *plan, int err)
{
	char *arguments[] = { (char *)plan->file, NULL };
	char *folder = folder_of(plan->file);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;

	if (folder == NULL)
		return ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	int error = set_attributes(&attributes);
	if (error == 0)
		error = set_actions(&actions, plan, err, folder);
	if (error == 0)
		error = posix_spawn(&p->pid, plan->file, &actions, &attributes,
			arguments, plan->environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(folder);
	return error;
}

/* A program that cannot be watched must not run. */
static int
watch(struct program *p)
{
	p->pidfd = pidfd_open(p->pid, 0);
	if (p->pidfd != -1)
		p->pid_watch = al_watch(p->pidfd, on_end, p);
	if (p->pid_watch != NULL)
		p->err_watch = al_watch(p->err, on_stderr, p);
	if (p->err_watch != NULL)
		return 0;
	int error = errno;
	signal_group(p, SIGKILL);
	waitpid(p->pid, NULL, 0);
	return error;
}

static struct program *
make(const struct program_plan *plan)
{
	struct program *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->app = plan->app;
	p->req = plan->req;
	p->ended = plan->ended;
	p->arg = plan->arg;
	p->pidfd = p->err = -1;
	p->name = strdup(plan->file);
	if (p->name != NULL)
		return p;
	free(p);
	return NULL;
}

struct program *
program_start(const struct program_plan *plan)
{
	struct program *p = make(plan);
	int err[2], error;

	if (p == NULL || pipe2(err, O_CLOEXEC) != 0) {
		error = p == NULL ? ENOMEM : errno;
		goto failed;
	}
	p->err = err[0];
	fcntl(p->err, F_SETFL, O_NONBLOCK);
	error = spawn(p, plan, err[1]);
	close(err[1]);
	if (error == 0)
		error = watch(p);
	if (error == 0) {
		LIST_INSERT_HEAD(&p->app->programs, p, next);
		p->app->running++;
		return p;
	}
failed:
	if (p != NULL)
		program_free(p);
	errno = error;
	return NULL;
}
