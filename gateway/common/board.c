#include "gateway/common/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Glibc has no name for it before 2.39. */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum { SPINS = 1000 };

static int
map(struct board_memory *m, int fd)
{
	void *own =
		mmap(NULL, sizeof(*m->own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	void *view = mmap(NULL, sizeof(*m->own), PROT_READ, MAP_SHARED, fd, 0);

	m->own = own != MAP_FAILED ? own : NULL;
	m->view = view != MAP_FAILED ? view : NULL;
	return m->own != NULL && m->view != NULL ? 0 : -1;
}

/* Pages that are never touched cost nothing, so there may be many rows. Children lose
 * the mapping that can be written, and the seal keeps them from making another. */
int
board_init(struct board_memory *m)
{
	int fd = memfd_create("board", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	*m = (struct board_memory){ 0 };
	if (fd == -1)
		return -1;
	if (ftruncate(fd, sizeof(*m->own)) != 0 || map(m, fd) != 0 ||
		madvise(m->own, sizeof(*m->own), MADV_DONTFORK) != 0) {
		int saved = errno;
		close(fd);
		board_release(m);
		errno = saved;
		return -1;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL);
	close(fd);
	return 0;
}

void
board_release(struct board_memory *m)
{
	if (m->own != NULL)
		munmap(m->own, sizeof(*m->own));
	if (m->view != NULL)
		munmap((void *)(uintptr_t)m->view, sizeof(*m->view));
	*m = (struct board_memory){ 0 };
}

void
board_write_begin(struct board *b)
{
	atomic_fetch_add_explicit(&b->version, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

void
board_write_end(struct board *b)
{
	atomic_fetch_add_explicit(&b->version, 1, memory_order_release);
}

unsigned
board_row(struct board *b, const char *name)
{
	uint32_t n = b->n_apps;

	for (uint32_t i = 0; i < n; i++)
		if (strncmp(b->apps[i].name, name, BOARD_NAME - 1) == 0)
			return i + 1;
	if (n == BOARD_APPS)
		return 0;
	snprintf(b->apps[n].name, BOARD_NAME, "%s", name);
	b->apps[n].backlog = -1;
	b->n_apps = n + 1;
	return n + 1;
}

/* The arbiter is never long in the middle of writing; should it end there, so do its
 * children. */
uint32_t
board_read_begin(const struct board *b)
{
	uint32_t version = atomic_load_explicit(&b->version, memory_order_acquire);

	for (int i = 0; version % 2 != 0 && i < SPINS; i++)
		version = atomic_load_explicit(&b->version, memory_order_acquire);
	return version;
}

bool
board_read_end(const struct board *b, uint32_t version)
{
	atomic_thread_fence(memory_order_acquire);
	return version % 2 == 0 &&
		atomic_load_explicit(&b->version, memory_order_relaxed) == version;
}
