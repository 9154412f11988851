/* What libFuzzer calls; FUZZ is the target. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FUZZ(slice_of((const char *)data, size));
	return 0;
}
