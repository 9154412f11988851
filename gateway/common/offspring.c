#include "gateway/common/offspring.h"

#include <errno.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Until the process between has ended: then, and not before, the reaper is our parent.
 * A pidfd becomes readable after that. */
static void
await_adoption(pid_t between)
{
	while (getppid() == between) {
		struct pollfd p = { .fd = pidfd_open(between, 0), .events = POLLIN };
		if (p.fd == -1)
			continue;
		if (getppid() == between) /* else the pid may be another's by now */
			poll(&p, 1, -1);
		close(p.fd);
	}
}

/* The status of the process between: 0, or the errno of its fork. */
static int
await_end(pid_t between)
{
	int status;

	while (waitpid(between, &status, 0) == -1) {
		if (errno != EINTR) /* ECHILD: the application ignores CHLD */
			return 0;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN;
}

int
offspring_fork(void)
{
	/* An application may have made this process a reaper itself. */
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	pid_t between = fork();
	if (between == 0) {
		between = getpid();
		pid_t pid = fork();
		if (pid != 0)
			_exit(pid == -1 ? errno : 0);
		await_adoption(between);
		return 0;
	}
	if (between != -1)
		errno = await_end(between);
	return between != -1 && errno == 0 ? 1 : -1;
}
