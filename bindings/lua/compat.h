/*
 * The two kinds of Lua that this binding is built for, from one source: Lua 5.4, and
 * LuaJIT, whose interface is that of Lua 5.1.
 */
#ifndef LUA_COMPAT_H
#define LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#if LUA_VERSION_NUM >= 504
#define LUA_KIND "lua"
#else
#define LUA_KIND "luajit"
#define lua_rawlen lua_objlen
#endif

#endif
