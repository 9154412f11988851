#include "gateway/arbiter/hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/arbiter/limits.h"
#include "gateway/arbiter/signals.h"
#include "gateway/logger/log.h"

/* As a shell says it of a command that it does not find. */
enum { EXIT_NO_COMMAND = 127 };

const struct hook *
hook_of(const struct server_settings *server, enum server_setting which)
{
	return &server->hooks[which - SERVER_on_starting];
}

/* ---- Functions ---- */

static const char *
call(const struct hook *hook, const struct al_facts *facts)
{
	void *library = dlopen(hook->library, RTLD_NOW | RTLD_LOCAL);
	void *found = library != NULL ? dlsym(library, hook->function) : NULL;

	/* It stays open, as its function may have left something of its own behind. */
	return found != NULL ? ((al_server_hook *)found)(facts) : dlerror();
}

/* ---- Commands ---- */

static void
set_text(const char *name, const char *value)
{
	if (value != NULL)
		setenv(name, value, 1);
}

static void
set_number(const char *name, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	setenv(name, text, 1);
}

static void
set_environment(const struct al_facts *facts)
{
	int status = facts->status;

	set_text("ALICORN_HOOK", facts->hook);
	set_text("ALICORN_POOL", facts->pool);
	set_text("ALICORN_KIND", facts->kind);
	set_number("ALICORN_PID", facts->arbiter);
	set_number("ALICORN_GENERATION", facts->generation);
	if (facts->worker > 0)
		set_number("ALICORN_WORKER_PID", facts->worker);
	if (facts->age > 0)
		set_number("ALICORN_WORKER_AGE", facts->age);
	if (status != -1)
		set_number("ALICORN_STATUS",
			WIFSIGNALED(status) ? 128 + WTERMSIG(status)
					    : WEXITSTATUS(status));
	if (facts->workers_new > 0) {
		set_number("ALICORN_WORKERS_OLD", facts->workers_old);
		set_number("ALICORN_WORKERS_NEW", facts->workers_new);
	}
}

/* Descriptors 0, 1 and 2; the others close when it begins. */
static int
arrange_descriptors(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null == -1 || dup2(null, STDIN_FILENO) == -1 ||
		dup2(log_fd(), STDOUT_FILENO) == -1 ||
		dup2(log_fd(), STDERR_FILENO) == -1)
		return -1;
	return close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* In the new process, where all signals are blocked. */
static void __attribute__((noreturn))
execute(const struct hook *hook, const struct al_facts *facts)
{
	sigset_t none;

	setpgid(0, 0);
	limits_restore();
	signals_forget();
	sigemptyset(&none);
	signals_unblock(&none);
	set_environment(facts);
	if (arrange_descriptors() == 0)
		execvp(hook->command[0], (char *const *)(uintptr_t)hook->command);
	log_error("hook %s: cannot execute %s: %s", facts->hook, hook->command[0],
		strerror(errno));
	_exit(EXIT_NO_COMMAND);
}

static pid_t
fork_command(const struct hook *hook, const struct al_facts *facts)
{
	sigset_t before;

	signals_block(&before);
	pid_t pid = fork();
	if (pid == 0)
		execute(hook, facts);
	signals_unblock(&before);
	return pid;
}

/* ---- Both ---- */

bool
hook_start(const struct server_settings *server, enum server_setting which,
	const struct al_facts *facts, pid_t *pid)
{
	const struct hook *hook = hook_of(server, which);
	struct al_facts named = *facts;
	const char *reason = NULL;

	*pid = 0;
	if (hook->text == NULL)
		return true;
	named.hook = server_table[which].name;
	if (hook->command == NULL)
		reason = call(hook, &named);
	else if ((*pid = fork_command(hook, &named)) == -1)
		reason = strerror(errno);
	if (reason == NULL)
		return true;
	*pid = 0;
	log_error("hook %s: %s: %s", named.hook, hook->text, reason);
	return false;
}

bool
hook_ended(enum server_setting which, int status)
{
	const char *name = server_table[which].name;

	if (WIFSIGNALED(status))
		log_error("hook %s was ended by signal %d (%s)", name, WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		log_error("hook %s failed with status %d", name, WEXITSTATUS(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The status of its end. */
static int
await_end(pid_t pid, enum server_setting which, int limit_ms)
{
	struct pollfd end = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	int status = 0, ready = -1;

	/* What interrupts the wait is a signal, and begins it anew. */
	do
		ready = poll(&end, 1, limit_ms);
	while (ready == -1 && errno == EINTR);
	if (ready == 0) {
		log_error("hook %s takes longer than %d s", server_table[which].name,
			limit_ms / 1000);
		kill(-pid, SIGKILL);
	}
	close(end.fd);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return status;
}

bool
hook_complete(const struct server_settings *server, enum server_setting which,
	const struct al_facts *facts, int limit_ms)
{
	pid_t pid;
	bool good = hook_start(server, which, facts, &pid);

	if (pid != 0)
		good = hook_ended(which, await_end(pid, which, limit_ms));
	return good || !hook_of(server, which)->must_succeed;
}
