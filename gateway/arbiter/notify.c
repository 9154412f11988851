#include "gateway/arbiter/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/log.h"

enum { MESSAGE = 256, PATIENCE_US = 200000 };

static int fd = -1;
static bool is_hushed, is_ready;
static unsigned n_processes;

static bool is_watched;
static uint64_t beat_ms; /* 0: no watchdog */
static uint64_t next_beat;

/* ---- The socket ---- */

/* -1 and errno. A name that begins with @ is an abstract one. */
static int
connect_to(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_usec = PATIENCE_US };
	size_t len = strlen(path);

	if ((*path != '/' && *path != '@') || len >= sizeof(name.sun_path)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	memcpy(name.sun_path, path, len);
	if (*path == '@')
		name.sun_path[0] = '\0';
	int made = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (made == -1)
		return -1;
	/* A manager that reads nothing holds the arbiter up for a moment only. */
	setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(made, (const struct sockaddr *)&name,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return made;
	int saved = errno;
	close(made);
	errno = saved;
	return -1;
}

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	char text[MESSAGE];
	va_list args;

	if (fd == -1)
		return;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0 && send(fd, text, (size_t)n, MSG_NOSIGNAL) == -1)
		log_warning("NOTIFY_SOCKET: %s: %s", text, strerror(errno));
}

static void
take_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t limit = usec != NULL ? strtoull(usec, NULL, 10) : 0;

	is_watched = limit > 0 &&
		(pid == NULL || strtoull(pid, NULL, 10) == (uint64_t)getpid());
	if (!is_watched || fd == -1)
		return;
	beat_ms = limit / 2000 > 0 ? limit / 2000 : 1;
	next_beat = clock_ms();
}

void
notify_init(void)
{
	static const char *const variables[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC",
		"WATCHDOG_PID" };
	const char *path = getenv("NOTIFY_SOCKET");

	if (path != NULL && *path != '\0') {
		fd = connect_to(path);
		if (fd == -1)
			log_warning("NOTIFY_SOCKET %s: %s", path, strerror(errno));
	}
	take_watchdog();
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
}

/* ---- What is said ---- */

static void
say_ready(void)
{
	say("READY=1\nSTATUS=%u processes serve", n_processes);
}

void
notify_ready(unsigned processes)
{
	is_ready = true;
	n_processes = processes;
	if (!is_hushed)
		say_ready();
}

void
notify_reloading(void)
{
	if (is_ready && !is_hushed)
		say("RELOADING=1\nMONOTONIC_USEC=%" PRIu64
		    "\nSTATUS=a new generation boots",
			clock_us());
}

void
notify_reloaded(unsigned processes)
{
	if (is_ready)
		notify_ready(processes);
}

void
notify_paused(void)
{
	if (!is_hushed)
		say("STATUS=the workers were stopped");
}

void
notify_stopping(void)
{
	if (!is_hushed)
		say("STOPPING=1\nSTATUS=stops");
}

void
notify_succession(pid_t other)
{
	if (!is_hushed)
		say("MAINPID=%d\nSTATUS=arbiter %d goes on", (int)other, (int)other);
	is_hushed = true;
}

void
notify_hush(void)
{
	is_hushed = true;
}

void
notify_speak(void)
{
	is_hushed = false;
	say("MAINPID=%d", (int)getpid());
	if (is_ready)
		say_ready();
}

/* ---- The watchdog ---- */

void
notify_beat(uint64_t now)
{
	if (beat_ms == 0 || now < next_beat)
		return;
	next_beat = now + beat_ms;
	say("WATCHDOG=1");
}

uint64_t
notify_deadline(void)
{
	return beat_ms != 0 ? next_beat : UINT64_MAX;
}

void
notify_pass_on(void)
{
	char pid[16];

	if (!is_watched)
		return;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
}
