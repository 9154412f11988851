/*
 * One request by the rules of WSAPI: run(env) returns the status, the headers and an
 * iterator of the body.
 */
#ifndef LUA_RESPOND_H
#define LUA_RESPOND_H

#include "bindings/lua/state.h"

/* Takes the application's function from the stack and leaves the one there that is
 * called for each request, and sets the state's result. */
void respond_push(struct state *s, lua_State *L);

#endif
