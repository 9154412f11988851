#include "gateway/arbiter/birth.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "gateway/arbiter/pool.h"
#include "gateway/arbiter/voice.h"

/* As few that their messages, and the descriptors in them, always have room. */
enum { UNBORN_MOST = 4 };

bool
birth_is_possible(const struct pool *pool)
{
	const struct pool *prototypes = pool->prototypes;

	return prototypes == NULL ||
		(pool->unborn < UNBORN_MOST &&
			prototypes->count[CHILD_READY] +
					prototypes->count[CHILD_SERVING] >
				0);
}

static struct child *
find_prototype(const struct family *f, const struct pool *prototypes)
{
	struct child *child;

	TAILQ_FOREACH (child, &f->children, next) {
		if (child->pool == prototypes &&
			(child->state == CHILD_READY || child->state == CHILD_SERVING))
			return child;
	}
	return NULL;
}

const char *
birth_ask(struct family *f, struct child *child, int channel)
{
	struct child *prototype = find_prototype(f, child->pool->prototypes);
	struct birth birth = { .slot = child->slot, .age = child->age };

	/* From now on orphans below the arbiter become its children. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		return "adopt orphans";
	errno = ESRCH; /* its channel is closed: it is about to end */
	if (prototype == NULL ||
		channel_send_fd(&prototype->channel, MESSAGE_RING, SLICE(""),
			child->voice->ring) == -1 ||
		channel_send_fd(&prototype->channel, MESSAGE_OUTPUT, SLICE(""),
			child->voice->output) == -1 ||
		channel_send_fd(&prototype->channel, MESSAGE_SPAWN,
			slice_of((const char *)&birth, sizeof(birth)), channel) == -1)
		return "ask its prototype";
	child->unborn = true;
	child->pool->unborn++;
	return NULL;
}

/* What a process says is believed only if it could do no harm: the arbiter signals its
 * children, perhaps as root. */
static bool
is_adopted(const struct family *f, pid_t pid)
{
	siginfo_t info;

	return pid > 0 && family_find(f, pid) == NULL && !hooks_have(&f->hooks, pid) &&
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool
birth_heard(const struct family *f, struct child *child, struct slice payload)
{
	pid_t pid;

	if (!child->unborn || payload.len != sizeof(pid))
		return false;
	memcpy(&pid, payload.ptr, sizeof(pid));
	if (!is_adopted(f, pid))
		return false;
	birth_end(child);
	child->pid = pid;
	child->slot->pid = pid;
	voice_born(child->voice, pid);
	if (child->owed_signal != 0)
		child_signal(child, child->owed_signal);
	return true;
}

void
birth_end(struct child *child)
{
	if (child->unborn)
		child->pool->unborn--;
	child->unborn = false;
}
