#include "gateway/worker/relief.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <semaphore.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gateway/worker/accept.h"
#include "gateway/worker/conn.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/threads.h"

enum {
	STACK_BYTES = 256 * 1024,
	QUIET_LOOKS = 100, /* without a call; then it sleeps until there is one */
	ALERT_LOOKS = 1000, /* after a long call, at each `relief_after`; */
	CALM_FACTOR = 4, /* else after so many of them, as looking has its price */
	PATIENCE_US = 20, /* until the lock is looked at again */
	NOT_YET = -1,
};

static pthread_t thread;
static bool runs; /* the thread exists */
static bool may_sleep; /* membarrier(2) works */
static atomic_bool unwanted; /* see relief_give_up */
static atomic_bool over;
static atomic_bool in_charge; /* changed with the lock */

/* Odd while the application has been called. Only the main thread writes it. */
static _Atomic uint64_t calls;

static sem_t wake_up;
static atomic_bool asleep;

/* An eventfd: the main thread has the loop again, or the thread shall end. */
static int recall = -1;

/* What tells of the main thread whether it runs. */
static clockid_t main_clock;
static int main_stat = -1;

/* ---- The main thread's side ---- */

static void
count_call(void)
{
	uint64_t n = atomic_load_explicit(&calls, memory_order_relaxed);

	atomic_store_explicit(&calls, n + 1, memory_order_relaxed);
}

void
relief_begin(void)
{
	if (!runs)
		return;
	count_call();
	if (atomic_load_explicit(&asleep, memory_order_relaxed) &&
		atomic_exchange(&asleep, false))
		sem_post(&wake_up);
	lock_give();
}

/* Those that nobody else took have their turn now. */
static void
take_back(void)
{
	struct conn *c;

	atomic_store(&in_charge, false);
	(void)eventfd_write(recall, 1);
	TAILQ_FOREACH (c, &self.ready, in_state)
		loop_again(&self.loop, &c->watch);
}

void
relief_end(void)
{
	if (!runs)
		return;
	count_call();
	lock_take();
	if (relief_is_in_charge())
		take_back();
}

bool
relief_is_in_charge(void)
{
	return atomic_load_explicit(&in_charge, memory_order_relaxed);
}

void
relief_give_up(void)
{
	atomic_store(&unwanted, true);
	lock_take();
	if (relief_is_in_charge())
		take_back();
	lock_give();
}

/* ---- The thread ---- */

static void
sleep_us(int64_t us)
{
	struct timespec t = {
		.tv_sec = us / 1000000,
		.tv_nsec = us % 1000000 * 1000,
	};

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

/* So long, or until the thread shall end: relief_after may be a minute. */
static void
nap_us(int64_t us)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t ns = until.tv_nsec + us % 1000000 * 1000;
	until.tv_sec += us / 1000000 + ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	while (sem_clockwait(&wake_up, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
		;
}

/* Until there is another call than that. Either the main thread has seen that it is to
 * wake us, or we see its call: without membarrier(), which makes it so, each call would
 * have to pay for that. */
static void
sleep_until_call(uint64_t seen)
{
	if (!may_sleep)
		return;
	atomic_store(&asleep, true);
	syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	/* The post of relief_stop() may have ended a nap. */
	bool is_wanted = atomic_load(&calls) != seen || atomic_load(&over);
	if (is_wanted && atomic_exchange(&asleep, false))
		return;
	while (sem_wait(&wake_up) != 0)
		;
}

/* How long the main thread has run so far. */
static int64_t
ran_us(void)
{
	struct timespec t = { 0 };

	clock_gettime(main_clock, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* The main thread could go on, if it had a processor (proc(5), the state in stat). */
static bool
is_runnable(void)
{
	char text[64];
	ssize_t n = pread(main_stat, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	const char *name_end = strrchr(text, ')');
	return name_end != NULL && strncmp(name_end, ") R", 3) == 0;
}

/* On a busy machine a short call may last, as others have the processors: one that does
 * not wait for anything counts by what it has run since it was first seen to last. */
static bool
is_kept_from_running(int64_t *ran)
{
	if (!is_runnable())
		return false;
	if (*ran == NOT_YET)
		*ran = ran_us();
	return ran_us() - *ran < self.settings->relief_after * 1000;
}

/* The call that takes long, or 0: the thread shall end. In a worker whose calls are all
 * short looks are rare. */
static uint64_t
find_long_call(void)
{
	static unsigned alert;
	uint64_t seen = atomic_load(&calls);
	int64_t after_us = self.settings->relief_after * 1000, ran = NOT_YET;
	unsigned quiet = 0;

	while (!atomic_load(&over)) {
		bool is_close = alert > 0 || ran != NOT_YET;
		nap_us(is_close ? after_us : CALM_FACTOR * after_us);
		alert -= alert > 0;
		uint64_t now = atomic_load(&calls);
		if (now == seen && now % 2 == 1) {
			if (is_kept_from_running(&ran))
				continue;
			alert = ALERT_LOOKS;
			return now;
		}
		quiet = now == seen ? quiet + 1 : 0;
		if (quiet > QUIET_LOOKS)
			sleep_until_call(now);
		seen = now;
		ran = NOT_YET;
	}
	return 0;
}

static bool
is_on(uint64_t call)
{
	return atomic_load(&calls) == call && !atomic_load(&unwanted);
}

/* False: the call has returned meanwhile. That is asked with the lock too: the main
 * thread may have returned, and given the lock for another reason. */
static bool
get_lock(uint64_t call)
{
	for (; is_on(call); sleep_us(PATIENCE_US)) {
		if (!lock_try_as_relief())
			continue;
		if (is_on(call))
			return true;
		lock_give_as_relief();
	}
	return false;
}

/* The listening sockets and the queue are left to workers that can serve what comes
 * from there. */
static void
end_round(void)
{
	accept_adjust();
}

/* What the main thread was in the middle of comes first. */
static void
take_over(void)
{
	atomic_store(&in_charge, true);
	accept_adjust();
	loop_dispatch(&self.loop);
	end_round();
}

static void
wait_for_events(int ms)
{
	struct pollfd p[] = {
		{ .fd = self.loop.epoll, .events = POLLIN },
		{ .fd = recall, .events = POLLIN },
	};
	eventfd_t n;

	if (poll(p, sizeof(p) / sizeof(p[0]), ms) > 0 && p[1].revents != 0)
		(void)eventfd_read(recall, &n);
}

/* The rounds. Events are taken from the epoll set with the lock alone, so none is lost
 * when the main thread wants the loop back meanwhile. */
static void
serve(uint64_t call)
{
	take_over();
	for (;;) {
		int ms = loop_wait_ms(&self.loop, -1);
		lock_give_as_relief();
		wait_for_events(ms);
		if (!get_lock(call))
			return;
		loop_wait(&self.loop, 0);
		loop_dispatch(&self.loop);
		end_round();
	}
}

static void *
run(void *arg)
{
	uint64_t call;

	(void)arg;
	while ((call = find_long_call()) != 0)
		if (get_lock(call))
			serve(call);
	return NULL;
}

/* ---- Life ---- */

int
relief_start(void)
{
	if (app_is_event_driven(&self.app) || self.settings->relief_after == 0 ||
		threads_are_used())
		return 0;
	recall = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	errno = pthread_getcpuclockid(self.main_thread, &main_clock);
	if (recall < 0 || errno != 0 || sem_init(&wake_up, 0, 0) != 0)
		return -1;
	/* Where it cannot be had, all calls count by the clock on the wall. */
	main_stat = open("/proc/thread-self/stat", O_RDONLY | O_CLOEXEC);
	may_sleep = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
			    0, 0) == 0;
	lock_init(LOCK_RELIEF);
	errno = thread_start(&thread, run, STACK_BYTES);
	runs = errno == 0;
	return runs ? 0 : -1;
}

void
relief_stop(void)
{
	if (!runs)
		return;
	atomic_store(&over, true);
	sem_post(&wake_up);
	(void)eventfd_write(recall, 1);
	pthread_join(thread, NULL);
	runs = false;
}
