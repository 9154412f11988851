/*
 * What applications get by require "alicorn".
 */
#ifndef LUA_MODULE_H
#define LUA_MODULE_H

#include "bindings/lua/state.h"

/* Puts the module into package.loaded. Raises errors. */
void module_open(struct state *s, lua_State *L);

/* Whether the value is alicorn.ALREADY_HANDLED. */
bool module_is_already_handled(lua_State *L, int at);

/* The same of alicorn.PAUSE. */
bool module_is_pause(lua_State *L, int at);

#endif
