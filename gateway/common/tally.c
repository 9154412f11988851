#include "gateway/common/tally.h"

_Static_assert(sizeof(struct tally) % sizeof(_Atomic uint64_t) == 0 &&
		sizeof(_Atomic uint64_t) == sizeof(uint64_t),
	"a tally is a row of numbers");

uint64_t
histogram_from(size_t bucket)
{
	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS)
		<< (bucket / HISTOGRAM_STEPS - 1);
}

static uint64_t
count_to(const struct histogram *h, size_t end)
{
	uint64_t n = 0;

	for (size_t i = 0; i < end; i++)
		n += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
	return n;
}

uint64_t
histogram_below(const struct histogram *h, uint64_t us)
{
	return count_to(h, histogram_bucket(us));
}

uint64_t
histogram_total(const struct histogram *h)
{
	return count_to(h, HISTOGRAM_BUCKETS);
}

/* Within its bucket they are taken to lie at equal distances. */
uint64_t
histogram_quantile(const struct histogram *h, double q)
{
	uint64_t total = histogram_total(h), before = 0;
	double rank = q * (double)total;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS && total > 0; i++) {
		uint64_t n = atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
		if (n > 0 && (double)(before + n) >= rank) {
			uint64_t from = histogram_from(i);
			double wide = (double)(histogram_from(i + 1) - from);
			double part = (rank - (double)before) / (double)n;
			return from + (uint64_t)(wide * part);
		}
		before += n;
	}
	return 0;
}

static _Atomic uint64_t *
numbers_of(const struct tally *t)
{
	return (_Atomic uint64_t *)(uintptr_t)t;
}

void
tally_clear(struct tally *t)
{
	for (size_t i = 0; i < TALLY_NUMBERS; i++)
		atomic_store_explicit(&numbers_of(t)[i], 0, memory_order_relaxed);
}

void
tally_add(struct tally *to, const struct tally *from)
{
	for (size_t i = 0; i < TALLY_NUMBERS; i++)
		tally_count(&numbers_of(to)[i],
			atomic_load_explicit(
				&numbers_of(from)[i], memory_order_relaxed));
}

void
tally_subtract(struct tally *from, const struct tally *before)
{
	for (size_t i = 0; i < TALLY_NUMBERS; i++) {
		uint64_t now = atomic_load_explicit(
			&numbers_of(from)[i], memory_order_relaxed);
		uint64_t then = atomic_load_explicit(
			&numbers_of(before)[i], memory_order_relaxed);
		atomic_store_explicit(&numbers_of(from)[i], now > then ? now - then : 0,
			memory_order_relaxed);
	}
}

uint64_t
tally_responses(const struct tally *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < TALLY_RESPONSES; i++)
		n += atomic_load_explicit(&t->responses[i], memory_order_relaxed);
	return n;
}
