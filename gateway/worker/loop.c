#include "gateway/worker/loop.h"

#include <stddef.h>
#include <unistd.h>

#include "gateway/common/clock.h"

enum { EVENTS_PER_ROUND = 64 };

int
loop_init(struct loop *loop)
{
	*loop = (struct loop){ .now = clock_ms() };
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll >= 0 ? 0 : -1;
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

static int
wait_ms(const struct loop *loop, int max_ms)
{
	int wait = timers_wait(&loop->timers, loop->now);

	if (loop->again != NULL)
		return 0;
	if (wait < 0 || (max_ms >= 0 && max_ms < wait))
		wait = max_ms;
	return wait;
}

void
loop_round(struct loop *loop, int max_ms)
{
	struct epoll_event events[EVENTS_PER_ROUND];

	int n = epoll_wait(
		loop->epoll, events, EVENTS_PER_ROUND, wait_ms(loop, max_ms));
	loop->now = clock_ms();
	for (int i = 0; i < n; i++) {
		struct watch *watch = events[i].data.ptr;
		if (watch->fn != NULL)
			watch->fn(watch, events[i].events);
	}
	call_again(loop);
	timers_run(&loop->timers, loop->now);
	release_closed(loop);
}
