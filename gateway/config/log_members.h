/*
 * The members of a row of logs: what each is made of, and what it sets; private to this
 * folder.
 */
#ifndef CONFIG_LOG_MEMBERS_H
#define CONFIG_LOG_MEMBERS_H

#include "gateway/config/log_sink.h"
#include "protocols/arena.h"

struct load;

/* One row in the making. */
struct sink_maker {
	struct load *load;
	struct arena *memory;
	struct log_sink *sink;
	const char *folder; /* that relative paths begin in */
	struct origin origin; /* of the member that is being read */
};

enum member_shape { MEMBER_TEXT, MEMBER_TEXTS, MEMBER_NUMBER };

struct sink_member {
	const char *name;
	enum member_shape shape; /* MEMBER_TEXTS may stand in one, with commas */
	unsigned takes; /* what it is about; 0: any sink */
	/* NULL, or what is wrong with the text. */
	const char *(*take)(struct sink_maker *m, const char *text);
};

extern const struct sink_member sink_members[];
extern const size_t n_sink_members;

#endif
