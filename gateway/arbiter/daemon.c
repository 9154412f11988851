#include "gateway/arbiter/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/common/heritage.h"
#include "gateway/logger/log.h"

static int report = -1; /* the end of the pipe to the process that waits */
static int terminal = -1;

/* The status of the daemon; one that ends without a word has failed. */
static int
await_report(int fd)
{
	unsigned char status = EXIT_BOOT;
	ssize_t n;

	do
		n = read(fd, &status, 1);
	while (n == -1 && errno == EINTR);
	return status;
}

/* Twice: the one that leads the session leaves it, so no terminal becomes ours. */
static void
fork_twice(int waits, int reports)
{
	pid_t pid = fork();

	if (pid > 0) {
		close(reports);
		waitpid(pid, NULL, 0);
		_exit(await_report(waits));
	}
	if (pid == -1)
		return;
	setsid();
	pid = fork();
	if (pid != 0)
		_exit(pid == -1);
	close(waits);
	report = reports;
}

static void
discard(int null, int fd, bool keep)
{
	if (!keep || isatty(fd))
		dup2(null, fd);
}

static void
leave_terminal(int null, bool keep_output)
{
	terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	discard(null, STDIN_FILENO, false);
	discard(null, STDOUT_FILENO, keep_output);
	if (!keep_output || isatty(STDERR_FILENO))
		log_mirror(terminal);
	discard(null, STDERR_FILENO, keep_output);
}

const char *
daemon_begin(bool keep_output)
{
	int ends[2];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1 || pipe2(ends, O_CLOEXEC) == -1)
		return strerror(errno);
	fflush(NULL);
	fork_twice(ends[0], ends[1]);
	if (report == -1)
		return strerror(errno);
	umask(S_IWGRP | S_IWOTH);
	leave_terminal(null, keep_output);
	close(null);
	return NULL;
}

void
daemon_report(int status)
{
	unsigned char byte = (unsigned char)status;

	if (report == -1)
		return;
	if (write(report, &byte, 1) == -1)
		log_debug("the process that started the daemon has gone");
	log_mirror(-1);
	close(report);
	close(terminal);
	report = terminal = -1;
}
