#include "gateway/worker/stack.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "gateway/worker/self.h"
#include "gateway/worker/threads.h"

static pid_t armed; /* children of the application are not the worker */

/* The request may have ended meanwhile. */
static bool
is_in_call(void)
{
	if (threads_are_used())
		return threads_are_in_call();
	return self.slot->busy_since != 0 &&
		pthread_equal(pthread_self(), self.main_thread);
}

static void
on_signal(int number)
{
	int saved = errno;

	(void)number;
	if (armed == getpid() && self.app.binding != NULL && is_in_call())
		app_hook(&self.app, AL_SHOW_STACK, NULL);
	errno = saved;
}

void
stack_arm(void)
{
	struct sigaction action = { .sa_handler = on_signal,
		.sa_flags = SA_RESTART | SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	sigaction(SIGNAL_SHOW_STACK, &action, NULL);
	armed = getpid();
}
