#include "gateway/worker/loop.h"

#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/common/clock.h"

/* That the loop woke up is all. */
static void
on_kick(struct watch *watch, uint32_t events)
{
	eventfd_t n;

	(void)events;
	(void)eventfd_read(watch->fd, &n);
}

int
loop_init(struct loop *loop)
{
	*loop = (struct loop){ .now = clock_ms() };
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch_init(&loop->kick, fd, on_kick);
	return fd >= 0 ? loop_watch(loop, &loop->kick, EPOLLIN) : -1;
}

void
loop_kick(struct loop *loop)
{
	(void)eventfd_write(loop->kick.fd, 1);
}

static void
release_closed(struct loop *loop)
{
	while (loop->closed != NULL) {
		struct watch *watch = loop->closed;
		loop->closed = watch->next;
		watch->release(watch);
	}
}

void
loop_release(struct loop *loop)
{
	release_closed(loop);
	timers_release(&loop->timers);
	close(loop->kick.fd);
	close(loop->epoll);
}

void
watch_init(struct watch *watch, int fd, watch_fn *fn)
{
	*watch = (struct watch){ .fn = fn, .fd = fd };
}

int
loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };
	int op = watch->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (epoll_ctl(loop->epoll, op, watch->fd, &event) != 0)
		return -1;
	watch->added = true;
	return 0;
}

void
loop_pause(struct loop *loop, struct watch *watch)
{
	if (watch->added)
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->added = false;
}

void
loop_again(struct loop *loop, struct watch *watch)
{
	if (watch->again || watch->fn == NULL)
		return;
	watch->again = true;
	watch->next = loop->again;
	loop->again = watch;
}

static void
leave_again(struct loop *loop, struct watch *watch)
{
	struct watch **at = &loop->again;

	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	watch->again = false;
}

void
loop_close(struct loop *loop, struct watch *watch, void (*release)(struct watch *watch))
{
	loop_pause(loop, watch);
	if (watch->again)
		leave_again(loop, watch);
	watch->fn = NULL;
	watch->release = release;
	watch->next = loop->closed;
	loop->closed = watch;
}

/* Those that ask for another turn while this runs have it in the next round. */
static void
call_again(struct loop *loop)
{
	unsigned n = 0;

	for (const struct watch *watch = loop->again; watch != NULL;
		watch = watch->next)
		n++;
	while (n-- > 0 && loop->again != NULL) {
		struct watch *watch = loop->again;
		leave_again(loop, watch);
		watch->fn(watch, 0);
	}
}

int
loop_wait_ms(struct loop *loop, int max_ms)
{
	int wait = timers_wait(&loop->timers, loop->now);

	if (loop->again != NULL)
		wait = 0;
	else if (wait < 0 || (max_ms >= 0 && max_ms < wait))
		wait = max_ms;
	loop->waits_until = wait < 0 ? UINT64_MAX : loop->now + (unsigned)wait;
	return wait;
}

void
loop_wait(struct loop *loop, int ms)
{
	int n = epoll_wait(loop->epoll, loop->events, EVENTS_PER_ROUND, ms);

	loop->n_events = n;
	loop->next_event = 0;
}

void
loop_dispatch(struct loop *loop)
{
	loop->waits_until = 0;
	loop->now = clock_ms();
	while (loop->next_event < loop->n_events) {
		const struct epoll_event *event = &loop->events[loop->next_event++];
		struct watch *watch = event->data.ptr;
		if (watch->fn != NULL)
			watch->fn(watch, event->events);
	}
	call_again(loop);
	timers_run(&loop->timers, loop->now);
	release_closed(loop);
}

bool
loop_oversleeps(const struct loop *loop)
{
	if (loop->waits_until <= loop->now)
		return false;
	int wait = timers_wait(&loop->timers, loop->now);
	return loop->again != NULL ||
		(wait >= 0 && loop->now + (unsigned)wait < loop->waits_until);
}
