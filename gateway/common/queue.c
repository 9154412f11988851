#include "gateway/common/queue.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_BYTES = 4 << 20 };

int
queue_init_from(struct queue *q, int in, int out, int memory)
{
	void *state = mmap(
		NULL, sizeof(*q->state), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

	if (state == MAP_FAILED)
		return -1;
	*q = (struct queue){ .in = in, .out = out, .memory = memory, .state = state };
	return 0;
}

int
queue_init(struct queue *q)
{
	int ends[2] = { -1, -1 }, bytes = SEND_BYTES;
	int memory = memfd_create("queue", MFD_CLOEXEC);

	if (memory == -1 || ftruncate(memory, sizeof(*q->state)) != 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			ends) != 0 ||
		queue_init_from(q, ends[0], ends[1], memory) != 0) {
		close(memory);
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	/* As much as it may be: the number of messages has a limit of its own. */
	if (setsockopt(q->in, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		setsockopt(q->in, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

void
queue_release(struct queue *q)
{
	close(q->in);
	close(q->out);
	close(q->memory);
	munmap(q->state, sizeof(*q->state));
}
