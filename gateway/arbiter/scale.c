#include "gateway/arbiter/scale.h"

#include <stdbool.h>

enum {
	LOOKS = 2, /* that find it saturated before the first process is started */
	STEP_MOST = 32, /* processes that are started at one look */
	FREE_OF = 16, /* of so many, one may be free in a saturated pool: see below */
};

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* All are busy. Of many processes that are busy most of the time one happens to be
 * between two requests at nearly every look. */
static bool
is_saturated(const struct scale_look *look)
{
	unsigned busy = least(look->busy, look->serving);

	return look->serving > 0 && (look->serving - busy) * FREE_OF < look->serving;
}

/* Those that were started before have to serve before more are. */
static unsigned
grow(struct scale *s, const struct scale_look *look)
{
	if (s->busy_looks < LOOKS)
		s->busy_looks++;
	if (s->busy_looks < LOOKS || look->serving < look->target ||
		look->target >= look->high)
		return 0;
	s->step = s->step != 0 ? least(2 * s->step, STEP_MOST) : 1;
	return least(s->step, look->high - look->target);
}

/* What was spare at all looks of this time was not needed. */
static unsigned
shrink(struct scale *s, const struct scale_look *look)
{
	if (look->target <= look->low) {
		s->spare = 0;
		return 0;
	}
	if (s->spare == 0) {
		s->since = look->now;
		s->spare = look->idle;
	}
	s->spare = least(s->spare, look->idle);
	if (look->now - s->since < look->idle_ms)
		return 0;
	unsigned fewer = least(s->spare, look->target - look->low);
	s->spare = 0;
	return fewer;
}

int
scale_decide(struct scale *s, const struct scale_look *look)
{
	if (is_saturated(look)) {
		s->spare = 0;
		return (int)grow(s, look);
	}
	s->busy_looks = s->step = 0;
	return -(int)shrink(s, look);
}
