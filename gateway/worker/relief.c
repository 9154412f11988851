#include "gateway/worker/relief.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdint.h>
#include <time.h>

#include "gateway/worker/accept.h"
#include "gateway/worker/access_log.h"
#include "gateway/worker/conn.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/threads.h"

enum {
	STACK_BYTES = 256 * 1024,
	QUIET_LOOKS = 100, /* without a call; then it sleeps until there is one */
};

static pthread_t thread;
static bool runs; /* the thread exists */
static bool in_charge;
static bool unwanted; /* see relief_give_up */
static atomic_bool over;

/* Odd while the application has been called. */
static _Atomic uint64_t calls;

static sem_t wake_up;
static atomic_bool asleep;

/* ---- The main thread's side ---- */

void
relief_begin(void)
{
	if (!runs)
		return;
	atomic_fetch_add(&calls, 1);
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

	in_charge = false;
	loop_kick(&self.loop);
	TAILQ_FOREACH (c, &self.ready, in_state)
		loop_again(&self.loop, &c->watch);
}

void
relief_end(void)
{
	if (!runs)
		return;
	atomic_fetch_add(&calls, 1);
	lock_take();
	if (in_charge)
		take_back();
}

bool
relief_is_in_charge(void)
{
	return in_charge;
}

/* ---- The thread ---- */

static void
sleep_ms(int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

/* Until there is another call than that. */
static void
sleep_until_call(uint64_t seen)
{
	atomic_store(&asleep, true);
	if (atomic_load(&calls) != seen && atomic_exchange(&asleep, false))
		return;
	while (sem_wait(&wake_up) != 0)
		;
}

/* The call that takes long, or 0: the thread shall end. */
static uint64_t
find_long_call(void)
{
	uint64_t seen = atomic_load(&calls);
	unsigned quiet = 0;

	while (!atomic_load(&over)) {
		sleep_ms(self.settings->relief_after);
		uint64_t now = atomic_load(&calls);
		if (now == seen && now % 2 == 1)
			return now;
		quiet = now == seen ? quiet + 1 : 0;
		if (quiet > QUIET_LOOKS)
			sleep_until_call(now);
		seen = now;
	}
	return 0;
}

/* The listening sockets and the queue are left to workers that can serve what comes
 * from there: accept_adjust. What the main thread was in the middle of comes first. */
static void
take_over(void)
{
	in_charge = true;
	accept_adjust();
	loop_dispatch(&self.loop);
	access_log_flush();
}

/* A round. Only here events are taken from the epoll set, so none is lost when the main
 * thread wants the loop back meanwhile. */
static void
go_round(void)
{
	struct pollfd p = { .fd = self.loop.epoll, .events = POLLIN };
	int ms = loop_wait_ms(&self.loop, -1);

	lock_give();
	poll(&p, 1, ms);
	lock_take();
	if (!in_charge)
		return;
	loop_wait(&self.loop, 0);
	loop_dispatch(&self.loop);
	access_log_flush();
	accept_adjust();
}

static void *
run(void *arg)
{
	uint64_t call;

	(void)arg;
	while ((call = find_long_call()) != 0) {
		lock_take();
		if (atomic_load(&calls) == call && !unwanted) {
			take_over();
			while (in_charge)
				go_round();
		}
		lock_give();
	}
	return NULL;
}

/* ---- Life ---- */

int
relief_start(void)
{
	if (app_is_event_driven(&self.app) || self.settings->relief_after == 0 ||
		threads_are_used())
		return 0;
	if (sem_init(&wake_up, 0, 0) != 0)
		return -1;
	self.has_threads = true;
	errno = thread_start(&thread, run, NULL, STACK_BYTES);
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
	pthread_join(thread, NULL);
	runs = false;
}

void
relief_give_up(void)
{
	lock_take();
	unwanted = true;
	if (in_charge)
		take_back();
	lock_give();
}
