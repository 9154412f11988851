/*
 * The status and the headers of a response, as WSAPI has them: a number or a string,
 * and a table of names whose values are strings, numbers or lists of these.
 */
#ifndef LUA_HEADERS_H
#define LUA_HEADERS_H

#include "bindings/lua/state.h"

enum { HEADERS_FEW = 32, STATUS_CODE_ROOM = 32 };

/* What they point to is on the stack, which must not be cut below where it ended when
 * they were read. */
struct headers {
	struct al_header *all;
	size_t n, room;
	struct al_header few[HEADERS_FEW];
};

/* Raises an error when there is no status. */
const char *status_text(lua_State *L, int at, char code[STATUS_CODE_ROOM]);

/* Reads the table, or nil, at that place. Raises an error when it is none. */
void headers_read(struct headers *h, lua_State *L, int at);

#endif
