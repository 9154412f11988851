#include "gateway/logger/outlet.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/logger/logger_lock.h"

enum { PATIENCE_MS = 30000, PAUSE_NS = 1000000 };

static struct ring ring;
static int bell = -1;
static bool is_patient;

/* It has waited in vain: lines are dropped until there is room again. */
static bool has_given_up;

/* True in the process that opened the outlet, and in none that it forks, in whatever
 * way: the kernel makes this page zeros there. */
static bool *is_open;

static bool *
make_page(void)
{
	void *page = mmap(NULL, sizeof(*is_open), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	madvise(page, sizeof(*is_open), MADV_WIPEONFORK);
	return page;
}

int
outlet_open(const struct outlet_gift *gift)
{
	struct ring mapped;

	if (is_open == NULL && (is_open = make_page()) == NULL)
		return -1;
	if (ring_map(&mapped, gift->ring) == -1)
		return -1;
	close(gift->ring);
	ring = mapped;
	bell = gift->bell;
	is_patient = gift->is_patient;
	has_given_up = false;
	*is_open = true;
	return 0;
}

void
outlet_close(void)
{
	if (outlet_is_open())
		ring_unmap(&ring);
	if (is_open != NULL)
		*is_open = false;
}

bool
outlet_is_open(void)
{
	return is_open != NULL && *is_open;
}

void
outlet_hurry(void)
{
	is_patient = false;
}

static void
wake_logger(void)
{
	if (ring_wakes(&ring))
		(void)eventfd_write(bell, 1);
}

/* Others may log meanwhile, signal handlers too. */
static bool
wait_for_room(const struct ring_line *line)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (is_patient && !has_given_up && clock_ms() < end) {
		wake_logger();
		logger_unlock();
		nanosleep(&pause, NULL);
		logger_lock();
		if (ring_put(&ring, line))
			return true;
	}
	has_given_up = true;
	return false;
}

void
outlet_put(const struct ring_line *line)
{
	int saved = errno;

	/* Not the first: this is a signal handler that came in the middle of a line. */
	bool is_first = logger_lock();
	bool is_put = is_first && ring_put(&ring, line);
	if (is_put)
		has_given_up = false;
	else
		is_put = is_first && wait_for_room(line);
	if (!is_put)
		ring_drop(&ring);
	wake_logger();
	logger_unlock();
	errno = saved;
}
