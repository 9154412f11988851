#include "bindings/common/option.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/alicorn.h"

unsigned
option_number(const char *name)
{
	const char *text = al_option(name, 0);

	return text != NULL ? (unsigned)strtoul(text, NULL, 10) : 0;
}

unsigned
option_milliseconds(const char *name)
{
	unsigned seconds = option_number(name);

	return seconds < UINT_MAX / 1000 ? seconds * 1000 : UINT_MAX;
}

bool
option_is_true(const char *name)
{
	const char *text = al_option(name, 0);

	return text != NULL && strcmp(text, "true") == 0;
}

const char *
option_text(const char *name, const char *otherwise)
{
	const char *text = al_option(name, 0);

	return text != NULL ? text : otherwise;
}
