#include "gateway/worker/timer.h"

#include <limits.h>
#include <stdlib.h>

/* The heap's places count from 1: the parent of i is i / 2. */

static void
put(struct timers *all, size_t place, struct timer *t)
{
	all->heap[place] = t;
	t->place = place;
}

static void
sift_up(struct timers *all, struct timer *t)
{
	size_t i = t->place;

	for (; i > 1 && all->heap[i / 2]->key > t->key; i /= 2)
		put(all, i, all->heap[i / 2]);
	put(all, i, t);
}

static void
sift_down(struct timers *all, struct timer *t)
{
	size_t i = t->place;

	for (size_t child; (child = 2 * i) <= all->n; i = child) {
		if (child < all->n && all->heap[child + 1]->key < all->heap[child]->key)
			child++;
		if (all->heap[child]->key >= t->key)
			break;
		put(all, i, all->heap[child]);
	}
	put(all, i, t);
}

static int
insert(struct timers *all, struct timer *t)
{
	if (all->n + 2 > all->cap) {
		size_t cap = all->cap != 0 ? all->cap * 2 : 64;
		struct timer **heap = realloc(all->heap, cap * sizeof(*heap));
		if (heap == NULL)
			return -1;
		all->heap = heap;
		all->cap = cap;
	}
	all->n++;
	put(all, all->n, t);
	sift_up(all, t);
	return 0;
}

int
timer_set(struct timers *all, struct timer *t, uint64_t at)
{
	t->at = at;
	if (t->place != 0 && t->key <= at)
		return 0;
	t->key = at;
	if (t->place == 0)
		return insert(all, t);
	sift_up(all, t);
	return 0;
}

void
timer_remove(struct timers *all, struct timer *t)
{
	t->at = 0;
	if (t->place == 0)
		return;
	struct timer *last = all->heap[all->n--];
	if (last != t) {
		put(all, t->place, last);
		sift_up(all, last);
		sift_down(all, last);
	}
	t->place = 0;
}

void
timers_run(struct timers *all, uint64_t now)
{
	while (all->n > 0 && all->heap[1]->key <= now) {
		struct timer *t = all->heap[1];
		uint64_t at = t->at;
		if (at > now) { /* it was moved meanwhile */
			t->key = at;
			sift_down(all, t);
			continue;
		}
		timer_remove(all, t);
		if (at != 0)
			t->fn(t);
	}
}

int
timers_wait(const struct timers *all, uint64_t now)
{
	if (all->n == 0)
		return -1;
	uint64_t key = all->heap[1]->key;
	if (key <= now)
		return 0;
	return key - now < INT_MAX ? (int)(key - now) : INT_MAX;
}

void
timers_release(struct timers *all)
{
	free(all->heap);
	*all = (struct timers){ 0 };
}
