/*
 * Connections that the application takes over: alicorn.socket() and alicorn.detach().
 */
#ifndef LUA_CONNECTION_H
#define LUA_CONNECTION_H

#include "bindings/lua/state.h"

/* Functions for Lua, with the state as their first upvalue. */
int connection_socket(lua_State *L);
int connection_detach(lua_State *L);

/* The request was answered, or taken over: what follows for its connection. */
void connection_settle(struct state *s);

#endif
