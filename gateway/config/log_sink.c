#include "gateway/config/log_sink.h"

#include <string.h>

bool
sink_is_for(const struct log_sink *sink, const char *app)
{
	for (size_t i = 0; app != NULL && i < sink->apps.n; i++)
		if (strcmp(sink->apps.items[i], app) == 0)
			return true;
	return sink->apps.n == 0;
}
