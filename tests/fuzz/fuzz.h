/*
 * Fuzz targets: each is given any bytes at all and asserts what its codec promises of
 * them; above all that bytes mean the same whole and in parts. `make fuzz` has clang's
 * libFuzzer look for bytes that break a promise, the unit tests play the vectors.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <assert.h>
#include <stdint.h>

#include "protocols/slice.h"

#define TARGET(name, folder) void fuzz_##name(struct slice in);
#include "tests/fuzz/targets.def"
#undef TARGET

/* A number that is made of the input, for what is not in it: where to cut it, which
 * options to use. So vectors are inputs as they are. */
static inline uint32_t
fuzz_choice(struct slice in)
{
	uint32_t choice = 2166136261;

	for (size_t i = 0; i < in.len; i++)
		choice = (choice ^ (unsigned char)in.ptr[i]) * 16777619;
	return choice ^ choice >> 15;
}

static inline bool
fuzz_within(struct slice part, struct slice whole)
{
	return part.len == 0 ||
		(part.ptr >= whole.ptr && part.len <= whole.len &&
			part.ptr + part.len <= whole.ptr + whole.len);
}

#endif
