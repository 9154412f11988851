#include "gateway/worker/introductions.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	NOTES = 64 * 1024, /* a power of two */
	WAYS = 8, /* places in which one may be, side by side */
	ATTEMPTS = 1000, /* to get at a place that another front writes to */
};

struct note {
	_Atomic uint64_t cookie; /* 0: free */
	_Atomic uint32_t busy; /* somebody reads or writes it */
	_Atomic uint32_t age; /* when it was written, in notes */
	union proxy_address peer, proxied;
};

struct notes {
	_Atomic uint32_t written;
	struct note all[NOTES];
};

static struct notes *notes;

int
introductions_open(int fd)
{
	if (ftruncate(fd, sizeof(*notes)) != 0)
		return -1;
	notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return notes != MAP_FAILED ? 0 : -1;
}

static uint64_t
cookie_of(const struct conn *c)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	(void)getsockopt(c->watch.fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

/* Cookies are counted up, so neighbours have neighbouring places. */
static struct note *
place(uint64_t cookie, size_t way)
{
	return &notes->all[(cookie * WAYS + way) % NOTES];
}

/* False: whoever has it was killed there, or takes very long. */
static bool
lock(struct note *note)
{
	for (int i = 0; i < ATTEMPTS; i++)
		if (atomic_exchange_explicit(&note->busy, 1, memory_order_acquire) == 0)
			return true;
	return false;
}

static void
unlock(struct note *note)
{
	atomic_store_explicit(&note->busy, 0, memory_order_release);
}

/* Its own place, else a free one, else the one that was written first. */
static struct note *
choose(uint64_t cookie)
{
	struct note *best = place(cookie, 0);

	for (size_t i = 0; i < WAYS; i++) {
		struct note *note = place(cookie, i);
		uint64_t has = atomic_load(&note->cookie);
		if (has == cookie)
			return note;
		uint64_t best_has = atomic_load(&best->cookie);
		if (best_has != 0 && (has == 0 || (int32_t)(note->age - best->age) < 0))
			best = note;
	}
	return best;
}

void
introductions_note(const struct conn *c)
{
	uint64_t cookie = cookie_of(c);
	struct note *note = choose(cookie);

	if (cookie == 0 || !lock(note))
		return;
	note->peer = c->peer;
	note->proxied = c->proxied;
	note->age = atomic_fetch_add(&notes->written, 1);
	atomic_store(&note->cookie, cookie);
	unlock(note);
}

bool
introductions_recall(struct conn *c)
{
	uint64_t cookie = cookie_of(c);
	bool found = false;

	for (size_t i = 0; i < WAYS && cookie != 0 && !found; i++) {
		struct note *note = place(cookie, i);
		if (atomic_load(&note->cookie) != cookie || !lock(note))
			continue;
		found = atomic_load(&note->cookie) == cookie;
		if (found) {
			c->peer = note->peer;
			c->proxied = note->proxied;
		}
		unlock(note);
	}
	return found;
}
