/*
 * What a hook of the server names: a command, whose words are split as a shell would,
 * or a function of a C plug-in, "c:FILE.so:FUNCTION". A "!" before it says that it must
 * not fail.
 */
#ifndef CONFIG_HOOK_H
#define CONFIG_HOOK_H

#include <stdbool.h>

#include "protocols/arena.h"

struct hook {
	const char *text; /* as it was written, with the path made absolute; NULL: none
			   */
	const char *const *command; /* NULL-terminated; NULL: it is a function */
	const char *library;
	const char *function;
	bool must_succeed;
};

/* A relative path of a plug-in begins in `folder`, which is absolute. Texts are copied
 * into the arena. Returns NULL, or what is wrong with it. */
const char *hook_parse(
	struct hook *h, const char *text, const char *folder, struct arena *memory);

#endif
