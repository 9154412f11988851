#include "gateway/common/queue.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_BYTES = 4 << 20 };

int
queue_init_from(struct queue *q, const int fds[QUEUE_FDS])
{
	void *state = mmap(NULL, sizeof(*q->state), PROT_READ | PROT_WRITE, MAP_SHARED,
		fds[QUEUE_STATE], 0);

	if (state == MAP_FAILED)
		return -1;
	memcpy(q->fds, fds, sizeof(q->fds));
	q->state = state;
	return 0;
}

static void
close_all(const int fds[QUEUE_FDS])
{
	for (size_t i = 0; i < QUEUE_FDS; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

int
queue_init(struct queue *q)
{
	int fds[QUEUE_FDS] = { -1, -1, -1, -1 }, bytes = SEND_BYTES;

	fds[QUEUE_STATE] = memfd_create("queue", MFD_CLOEXEC);
	fds[QUEUE_NOTES] = memfd_create("notes", MFD_CLOEXEC);
	if (fds[QUEUE_STATE] == -1 || fds[QUEUE_NOTES] == -1 ||
		ftruncate(fds[QUEUE_STATE], sizeof(*q->state)) != 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			fds) != 0 ||
		queue_init_from(q, fds) != 0) {
		close_all(fds);
		return -1;
	}
	/* As much as it may be: the number of messages has a limit of its own. */
	if (setsockopt(fds[QUEUE_IN], SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
		    sizeof(bytes)) != 0)
		setsockopt(fds[QUEUE_IN], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

void
queue_release(struct queue *q)
{
	close_all(q->fds);
	munmap(q->state, sizeof(*q->state));
}
