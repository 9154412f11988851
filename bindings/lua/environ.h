/*
 * The WSAPI environ: a table that is filled as the application asks for variables,
 * since most ask for few. One that does not exist reads as "".
 */
#ifndef LUA_ENVIRON_H
#define LUA_ENVIRON_H

#include "bindings/lua/state.h"

/* Push the metatables of env, env.input and env.error. */
void environ_push_metatable(struct state *s, lua_State *L);
void input_push_metatable(struct state *s, lua_State *L);
void errors_push_metatable(struct state *s, lua_State *L);

/* Logs the line that env.error was given a beginning of. */
void errors_flush(struct state *s);

/* The state of the running function, whose first upvalue it is. Raises an error unless
 * its first argument is the table of the current request whose address stands at that
 * offset of the state. */
struct state *state_of_request(lua_State *L, size_t offset, const char *name);

#endif
