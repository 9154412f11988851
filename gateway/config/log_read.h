/*
 * The group `logs` of a file, or a file of its own that log_config names; private to
 * this folder.
 */
#ifndef CONFIG_LOG_READ_H
#define CONFIG_LOG_READ_H

#include <libconfig.h>

#include "gateway/config/log_sink.h"
#include "gateway/config/sources.h"

/* A file that is being read. */
struct log_source {
	struct load *load;
	struct arena *memory;
	const char *path;
	const char *folder; /* of the path, for @include; NULL: it names none */
	struct log_sink *sinks;
	size_t n;
};

/* Adds the rows of logs = ( { … }, … ); with faults where they are none. */
void logs_read(struct log_source *source, const config_setting_t *list);

/* Adds those of a file that has nothing else. */
void logs_read_file(struct log_source *source);

#endif
