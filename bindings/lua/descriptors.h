/*
 * Bare descriptors: Lua's own library has nothing for those that come with a connection
 * that was taken over, or with a message.
 */
#ifndef LUA_DESCRIPTORS_H
#define LUA_DESCRIPTORS_H

#include "bindings/lua/compat.h"

/* Functions for Lua. Each returns nil and the reason when it fails. */
int descriptor_read(lua_State *L);
int descriptor_write(lua_State *L);
int descriptor_close(lua_State *L);

#endif
