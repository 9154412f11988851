#include "gateway/worker/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "gateway/alicorn.h"
#include "gateway/logger/log.h"
#include "gateway/worker/errands.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/relief.h"
#include "gateway/worker/worker.h"

enum {
	WAITING_MAX = 1024, /* in each direction */
	TOLD_EVERY_MS = 1000,
};

struct kept_message {
	struct errand errand; /* first: see forward */
	STAILQ_ENTRY(kept_message) next;
	int fd; /* -1: none */
	size_t len;
	char bytes[]; /* a struct letter, and the data */
};

STAILQ_HEAD(messages, kept_message);
static struct messages going = STAILQ_HEAD_INITIALIZER(going);
static struct messages come = STAILQ_HEAD_INITIALIZER(come);
static _Atomic unsigned n_going; /* with those that are errands yet */
static unsigned n_come;

static al_message_fn *_Atomic receiver;
static void *_Atomic receiver_arg;

static void
drop(struct kept_message *m)
{
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

/* ---- Away ---- */

void
messages_forward(void)
{
	struct kept_message *m;

	while ((m = STAILQ_FIRST(&going)) != NULL && worker_may_tell(m->len)) {
		STAILQ_REMOVE_HEAD(&going, next);
		worker_tell(MESSAGE_SEND, slice_of(m->bytes, m->len), m->fd);
		atomic_fetch_sub(&n_going, 1);
		drop(m);
	}
}

static void
forward(struct errand *errand)
{
	STAILQ_INSERT_TAIL(&going, (struct kept_message *)errand, next);
	messages_forward();
}

static struct kept_message *
make(const struct letter *letter, const void *data, size_t n)
{
	struct kept_message *m = malloc(sizeof(*m) + sizeof(*letter) + n);

	if (m == NULL)
		return NULL;
	*m = (struct kept_message){
		.errand.run = forward,
		.fd = -1,
		.len = sizeof(*letter) + n,
	};
	memcpy(m->bytes, letter, sizeof(*letter));
	if (n > 0)
		memcpy(m->bytes + sizeof(*letter), data, n);
	return m;
}

static int
refuse(int error)
{
	errno = error;
	return -1;
}

int
al_send(enum al_to to, uint32_t type, const void *data, size_t n, int fd)
{
	const struct letter letter = { .to = to, .type = type };

	if (n > AL_MESSAGE_MAX)
		return refuse(EMSGSIZE);
	if (self.slot == NULL) /* a prototype, which nobody hears */
		return refuse(EPIPE);
	if (atomic_load(&n_going) >= WAITING_MAX)
		return refuse(EAGAIN);
	struct kept_message *m = make(&letter, data, n);
	if (m == NULL)
		return refuse(ENOMEM);
	if (fd >= 0 && (m->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
		int error = errno;
		drop(m);
		return refuse(error);
	}
	atomic_fetch_add(&n_going, 1);
	errand_ask(&m->errand);
	return 0;
}

/* ---- Come ---- */

/* Relief has to read on, as there may be other news. */
bool
messages_have_room(void)
{
	return n_come < WAITING_MAX || relief_is_in_charge();
}

static void
lose(void)
{
	static uint64_t told;
	static unsigned n_lost;

	n_lost++;
	if (told != 0 && self.loop.now < told + TOLD_EVERY_MS)
		return;
	log_warning("%s: it is busy, and %u messages of other workers are lost",
		self.settings->name, n_lost);
	told = self.loop.now;
	n_lost = 0;
}

void
messages_receive(const struct imsg *in)
{
	struct letter letter;
	struct kept_message *m = NULL;

	if (n_come >= WAITING_MAX) {
		lose();
	} else if (in->payload.len >= sizeof(letter) &&
		atomic_load(&receiver) != NULL) {
		memcpy(&letter, in->payload.ptr, sizeof(letter));
		m = make(&letter, in->payload.ptr + sizeof(letter),
			in->payload.len - sizeof(letter));
	}
	if (m == NULL) {
		if (in->fd >= 0)
			close(in->fd);
		return;
	}
	m->fd = in->fd;
	STAILQ_INSERT_TAIL(&come, m, next);
	n_come++;
}

static void
deliver(struct kept_message *m)
{
	al_message_fn *fn = atomic_load(&receiver);
	struct letter letter;

	memcpy(&letter, m->bytes, sizeof(letter));
	if (fn != NULL) {
		lock_give();
		fn(atomic_load(&receiver_arg), letter.from, letter.type,
			m->bytes + sizeof(letter), m->len - sizeof(letter), m->fd);
		lock_take();
		m->fd = -1;
	}
	drop(m);
}

void
messages_attend(void)
{
	struct kept_message *m;

	while ((m = STAILQ_FIRST(&come)) != NULL) {
		STAILQ_REMOVE_HEAD(&come, next);
		n_come--;
		deliver(m);
	}
}

void
al_on_message(al_message_fn *fn, void *arg)
{
	atomic_store(&receiver_arg, arg);
	atomic_store(&receiver, fn);
}
