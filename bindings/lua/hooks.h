/*
 * The moments that applications are told of.
 */
#ifndef LUA_HOOKS_H
#define LUA_HOOKS_H

#include "bindings/lua/state.h"

void hooks_call(struct state *s, enum al_hook moment, struct al_request *req);

#endif
