#include "gateway/worker/prototype.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/common/channel.h"
#include "gateway/common/log_begin.h"
#include "gateway/common/offspring.h"
#include "gateway/logger/log.h"
#include "gateway/worker/files.h"
#include "gateway/worker/self.h"
#include "gateway/worker/worker.h"

static const struct heritage *heritage;
static struct channel channel;
static int ring = -1, output = -1; /* of the next worker */

/* ---- Signals ---- */

/* There is nothing to finish, and what the application would clean up is also its
 * workers'. A worker keeps this until it has handlers of its own: before that it, too,
 * has nothing to finish. */
static void
end(int number)
{
	(void)number;
	_exit(EXIT_DONE);
}

static void
ignore(int number)
{
	(void)number;
}

/* Set before an interpreter starts, which then leaves them as they are. */
static void
catch_signals(void)
{
	static const struct {
		int number;
		void (*handler)(int);
	} signals[] = {
		{ SIGTERM, end },
		{ SIGQUIT, end },
		{ SIGINT, end },
		/* Not SIG_IGN, which what an application starts would inherit. */
		{ SIGHUP, ignore },
		{ SIGUSR1, ignore },
		{ SIGUSR2, ignore },
		{ SIGWINCH, ignore },
		{ SIGPIPE, ignore },
	};
	struct sigaction action = { .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		action.sa_handler = signals[i].handler;
		sigaction(signals[i].number, &action, NULL);
	}
}

/* ---- Workers ---- */

/* What a worker does from its birth to its end. */
static void __attribute__((noreturn)) live(const struct birth *birth, int fd)
{
	struct heritage own = *heritage;

	channel_release(&channel); /* so that the arbiter sees the prototype's end */
	own.slot = birth->slot;
	own.age = birth->age;
	own.channel = fd;
	own.log.ring = ring;
	own.log.output = output;
	log_begin(&own);
	exit(worker_born(&own));
}

/* When this fails the arbiter learns it from the end of the worker's channel. */
static void
spawn(const struct imsg *m)
{
	struct birth birth;

	if (m->fd == -1 || m->payload.len != sizeof(birth))
		return;
	memcpy(&birth, m->payload.ptr, sizeof(birth));
	fflush(NULL); /* lest each worker write once more what waits */
	app_hook(&self.app, AL_BEFORE_FORK, NULL);
	int side = offspring_fork();
	if (side == 0)
		live(&birth, m->fd);
	int error = errno;
	app_hook(&self.app, AL_AFTER_FORK_PARENT, NULL);
	if (side == -1)
		log_error("%s: a worker cannot be forked: %s", heritage->app->name,
			strerror(error));
}

/* They are the next worker's. */
static void
keep(int *kept, int fd)
{
	if (*kept != -1)
		close(*kept);
	*kept = fd;
}

/* Others mean nothing here, such as MESSAGE_SERVE. */
static void
obey(const struct imsg *m)
{
	if (m->type == MESSAGE_RING) {
		keep(&ring, m->fd);
		return;
	}
	if (m->type == MESSAGE_OUTPUT) {
		keep(&output, m->fd);
		return;
	}
	if (m->type == MESSAGE_SPAWN) {
		spawn(m);
		keep(&ring, -1);
		keep(&output, -1);
	}
	if (m->fd != -1)
		close(m->fd);
}

/* Until the arbiter has gone. */
static void
serve(void)
{
	struct pollfd p = { .fd = channel.fd, .events = POLLIN };
	struct imsg m;
	int got;

	while ((got = channel_receive(&channel, &m)) != -1) {
		if (got == 1)
			obey(&m);
		else
			poll(&p, 1, -1);
	}
}

int
prototype_run(const struct heritage *h)
{
	heritage = h;
	catch_signals();
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* the channel tells it after the loading */
	channel_init(&channel, h->channel);
	const char *error = worker_load(h);
	if (error != NULL) {
		files_tell(&channel);
		channel_send(&channel, MESSAGE_FAILED, slice_str(error));
		return EXIT_LOAD;
	}
	if (channel_send(&channel, MESSAGE_READY, SLICE("")) == 0)
		serve();
	_exit(EXIT_DONE);
}
