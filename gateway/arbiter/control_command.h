/* The commands of the control socket. */
#ifndef ARBITER_CONTROL_COMMAND_H
#define ARBITER_CONTROL_COMMAND_H

#include "gateway/arbiter/inside.h"
#include "protocols/buffer.h"

enum control_outcome {
	CONTROL_DONE,
	CONTROL_FAILED, /* the text says why */
	CONTROL_USAGE, /* it was asked for wrongly, and the text says how */
	CONTROL_LATER, /* it has begun, and is asked for again: see `later` */
};

struct control_call {
	struct arbiter *a;
	struct control_peer *peer;
	char *const *words; /* behind the name of the command, then NULL */
	size_t n;
	struct buffer *text; /* the answer */
};

typedef enum control_outcome control_fn(struct control_call *call);

struct control_command {
	const char *name;
	const char *arguments; /* for people; "": none */
	const char *help;
	size_t least, most; /* how many words it takes */
	bool changes; /* something: it is logged who did it */
	bool stays; /* connected until the server ends, to see that */
	bool is_object; /* its answer to --json is an object already */
	control_fn *run;
	control_fn *later; /* asked each round after CONTROL_LATER */
};

/* NULL: there is none of that name. */
const struct control_command *control_command_find(const char *name);

#endif
