/*
 * Messages between the workers of an application: alicorn.send() and
 * alicorn.on_message().
 */
#ifndef LUA_MESSAGES_H
#define LUA_MESSAGES_H

#include "bindings/lua/state.h"

/* Functions for Lua, with the state as their first upvalue. */
int messages_send(lua_State *L);
int messages_on_message(lua_State *L);

#endif
