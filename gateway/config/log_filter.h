/*
 * Which requests a sink takes. What it does not want costs nothing but the test.
 */
#ifndef CONFIG_LOG_FILTER_H
#define CONFIG_LOG_FILTER_H

#include "gateway/config/log_sink.h"
#include "protocols/slice.h"

/* "404", "5xx", "!304"; NULL, or what is wrong. */
const char *status_rule_parse(struct status_rule *rule, struct slice text);

/* A path, with a "*" at its beginning, its end, or both. */
const char *path_rule_parse(struct path_rule *rule, const char *text);

/* From 0 to 1. */
const char *sample_parse(uint32_t *sample, double ratio);

/* What is known of a request when it has ended. */
struct filter_request {
	unsigned status;
	struct slice path; /* as it was received, without the query */
	uint64_t us; /* that it took; looked at only where a time is asked for */
	struct slice id; /* of the request; the same id is taken everywhere, or nowhere
			  */
};

/* It passes all but the sample. */
bool filter_wants(const struct sink_filter *filter, const struct filter_request *r);

/* It is one of the sample. */
bool filter_samples(const struct sink_filter *filter, const struct filter_request *r);

#endif
