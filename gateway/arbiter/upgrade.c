#include "gateway/arbiter/upgrade.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/arbiter/hook.h"
#include "gateway/arbiter/inherited.h"
#include "gateway/arbiter/limits.h"
#include "gateway/arbiter/notify.h"
#include "gateway/arbiter/queues.h"
#include "gateway/arbiter/signals.h"
#include "gateway/logger/log.h"

#define PID_VARIABLE "ALICORN_PID"

/* How the program was called. */
static char *const *arguments;
static char **original_environment;
static char *folder;
static char *program; /* its path, links and all: what it is tomorrow is the new one */

static bool is_successor;
static pid_t old; /* the arbiter before us; 0: there is none, or not any more */
static pid_t new; /* the one after us; 0: none */

/* ---- How the program was called ---- */

static bool
is_this_program(const char *path)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat("/proc/self/exe", &b) == 0 &&
		a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* folder/name, if that is this program; else NULL. */
static char *
try_folder(const char *in, int len, const char *name)
{
	char *path;

	if (asprintf(&path, "%.*s/%s", len, in, name) == -1)
		return NULL;
	if (is_this_program(path))
		return path;
	free(path);
	return NULL;
}

static char *
search_path(const char *name)
{
	const char *in = getenv("PATH");
	char *found = NULL;

	while (in != NULL && *in != '\0' && found == NULL) {
		int len = (int)strcspn(in, ":");
		found = try_folder(in, len, name);
		in += in[len] == ':' ? len + 1 : len;
	}
	return found;
}

static char *
find_program(const char *name)
{
	char path[PATH_MAX];
	char *found = NULL;

	if (name != NULL && *name == '/')
		found = is_this_program(name) ? strdup(name) : NULL;
	else if (name != NULL && strchr(name, '/') != NULL && folder != NULL)
		found = try_folder(folder, (int)strlen(folder), name);
	else if (name != NULL)
		found = search_path(name);
	if (found != NULL)
		return found;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return n > 0 ? strdup(path) : NULL;
}

/* The texts live as long as the program; the array is changed by unsetenv(). */
static char **
copy_environment(void)
{
	size_t n = 0;

	while (environ[n] != NULL)
		n++;
	char **copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < n; i++)
		copy[i] = environ[i];
	return copy;
}

/* Its end shall wake us: a CHLD comes then. When it has gone already, it never comes,
 * but our parent is another one. */
static void
find_old(void)
{
	const char *pid = getenv(PID_VARIABLE);

	if (pid == NULL)
		return;
	is_successor = true;
	old = (pid_t)strtol(pid, NULL, 10);
	unsetenv(PID_VARIABLE);
	prctl(PR_SET_PDEATHSIG, SIGCHLD);
}

void
upgrade_init(char *const *argv)
{
	arguments = argv;
	folder = get_current_dir_name();
	program = find_program(argv[0]);
	original_environment = copy_environment();
	find_old();
}

/* ---- The new side ---- */

bool
upgrade_is_successor(void)
{
	return is_successor;
}

bool
upgrade_is_second(void)
{
	return old != 0;
}

bool
upgrade_was_promoted(void)
{
	if (old == 0 || getppid() == old)
		return false;
	old = 0;
	return true;
}

/* ---- The old side ---- */

/* NULL, or why it cannot be begun. */
static const char *
object(void)
{
	static char reason[128];

	if (new != 0)
		snprintf(reason, sizeof(reason),
			"arbiter %d, started by an earlier one, still runs", (int)new);
	else if (old != 0)
		snprintf(reason, sizeof(reason),
			"arbiter %d, which this one is to replace, still runs",
			(int)old);
	else if (getpid() == 1)
		return "process 1 of a container cannot be replaced; start another "
		       "container";
	else if (program == NULL || folder == NULL || original_environment == NULL)
		return "how the program was called is not known";
	else
		return NULL;
	return reason;
}

static void
set_environment(struct listeners *all, pid_t arbiter)
{
	struct buffer lines = { 0 };
	char pid[16];

	environ = original_environment;
	snprintf(pid, sizeof(pid), "%d", (int)arbiter);
	setenv(PID_VARIABLE, pid, 1);
	listeners_pass_on(all, &lines);
	buffer_add(&lines, "", 1);
	setenv(INHERITED_VARIABLE, lines.ptr, 1);
	queues_pass_on();
	inherited_pass_on();
	notify_pass_on();
	buffer_release(&lines);
}

/* In the child. Its parent may end before it is the new arbiter. */
static void __attribute__((noreturn)) become_new(struct listeners *all,
	const struct server_settings *server, const struct al_facts *facts)
{
	sigset_t none;

	signals_forget();
	sigemptyset(&none);
	signals_unblock(&none);
	if (!hook_complete(server, SERVER_pre_exec, facts, HOOK_LIMIT_MS))
		_exit(EXIT_CONFIG);
	limits_restore();
	set_environment(all, facts->arbiter);
	if (chdir(folder) == -1)
		log_error("USR2: chdir %s: %s", folder, strerror(errno));
	else if (execv(program, arguments) == -1)
		log_error("USR2: exec %s: %s", program, strerror(errno));
	_exit(EXIT_CONFIG);
}

const char *
upgrade_begin(struct listeners *all, const struct server_settings *server,
	const struct al_facts *facts)
{
	const char *reason = object();
	sigset_t before;

	if (reason != NULL)
		return reason;
	signals_block(&before);
	pid_t pid = fork();
	if (pid == 0)
		become_new(all, server, facts);
	signals_unblock(&before);
	if (pid == -1)
		return strerror(errno);
	new = pid;
	listeners_share(all, true);
	return NULL;
}

pid_t
upgrade_pid(void)
{
	return new;
}

bool
upgrade_has_ended(pid_t pid)
{
	if (pid != new)
		return false;
	new = 0;
	return true;
}
