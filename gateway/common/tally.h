/*
 * What is counted of requests: numbers that only grow. One process writes a tally, with
 * relaxed atomic values and no lock; anybody reads. All members are such numbers, so
 * tallies can be added up and taken from each other as rows of numbers.
 */
#ifndef COMMON_TALLY_H
#define COMMON_TALLY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Durations in microseconds. Below 8 each has a bucket of its own; above, each power of
 * two has 8, up to two minutes: so a bucket is known to an eighth of its value. */
enum { HISTOGRAM_STEPS = 8, HISTOGRAM_BUCKETS = 200 };

struct histogram {
	_Atomic uint64_t sum_us;
	_Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* By the first digit of the status; and those whose client left before it had one. */
enum tally_response {
	TALLY_1XX,
	TALLY_2XX,
	TALLY_3XX,
	TALLY_4XX,
	TALLY_5XX,
	TALLY_LEFT,
	TALLY_RESPONSES,
};

enum { STATUS_LEFT = 499 };

struct tally {
	_Atomic uint64_t responses[TALLY_RESPONSES];
	_Atomic uint64_t bytes_in; /* heads and bodies of requests */
	_Atomic uint64_t bytes_out; /* of responses, as the sockets took them */
	struct histogram application; /* time in the application */
	struct histogram queue; /* time in the queue between workers */
};

enum { TALLY_NUMBERS = sizeof(struct tally) / sizeof(uint64_t) };

/* As nobody else writes, no locked instruction is needed. */
static inline void
tally_count(_Atomic uint64_t *number, uint64_t by)
{
	atomic_store_explicit(number,
		atomic_load_explicit(number, memory_order_relaxed) + by,
		memory_order_relaxed);
}

static inline size_t
histogram_bucket(uint64_t us)
{
	if (us < HISTOGRAM_STEPS)
		return (size_t)us;
	unsigned top = 63 - (unsigned)__builtin_clzll(us);
	size_t bucket = (top - 2) * HISTOGRAM_STEPS +
		((us >> (top - 3)) & (HISTOGRAM_STEPS - 1));
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static inline void
histogram_add(struct histogram *h, uint64_t us)
{
	tally_count(&h->buckets[histogram_bucket(us)], 1);
	tally_count(&h->sum_us, us);
}

/* The least duration of a bucket; of HISTOGRAM_BUCKETS the end of the last one. */
uint64_t histogram_from(size_t bucket);

/* How many were shorter than so many microseconds, a power of two above 4. */
uint64_t histogram_below(const struct histogram *h, uint64_t us);
uint64_t histogram_total(const struct histogram *h);

/* The duration, in microseconds, that the part `q` of all (0.99) did not exceed; 0 when
 * there are none. */
uint64_t histogram_quantile(const struct histogram *h, double q);

void tally_clear(struct tally *t);
void tally_add(struct tally *to, const struct tally *from);

/* What was counted between two looks; none below zero. */
void tally_subtract(struct tally *from, const struct tally *before);

uint64_t tally_responses(const struct tally *t);

#endif
