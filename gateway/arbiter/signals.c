#include "gateway/arbiter/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int ends[2] = { -1, -1 };

/* Taken from the pipe and not yet handed out. */
static unsigned char queue[64];
static size_t n_queued, n_taken;

/* When the pipe is full, with 65,536 signals, the loop is awake in any case. */
static void
note(int number)
{
	int saved = errno;
	unsigned char byte = (unsigned char)number;
	ssize_t written = write(ends[1], &byte, 1);

	(void)written;
	errno = saved;
}

int
signals_handle(int number)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };

	if (ends[0] == -1 && pipe2(ends, O_NONBLOCK | O_CLOEXEC) == -1)
		return -1;
	sigfillset(&action.sa_mask);
	return sigaction(number, &action, NULL);
}

int
signals_fd(void)
{
	return ends[0];
}

int
signals_next(void)
{
	if (n_taken == n_queued) {
		ssize_t n = read(ends[0], queue, sizeof(queue));
		n_queued = n > 0 ? (size_t)n : 0;
		n_taken = 0;
	}
	return n_taken < n_queued ? queue[n_taken++] : 0;
}

void
signals_block(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, before);
}

void
signals_unblock(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}

static void
close_pipe(void)
{
	for (int i = 0; i < 2; i++) {
		if (ends[i] != -1)
			close(ends[i]);
		ends[i] = -1;
	}
	n_queued = n_taken = 0;
}

void
signals_forget(void)
{
	/* Those that cannot be set (KILL, STOP, the C library's own) are left out. */
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	close_pipe();
}

void
signals_release(void)
{
	sigset_t before;

	signals_block(&before);
	close_pipe();
}
