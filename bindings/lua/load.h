/*
 * To find the application.
 */
#ifndef LUA_LOAD_H
#define LUA_LOAD_H

#include "bindings/lua/state.h"

/* Takes note of the target and of the settings, for all states. Returns NULL, or in one
 * line why it cannot. */
const char *setup_read(const char *target);

/* The folder of the application's file, or the working folder (APP_PATH). */
const char *setup_folder(void);

/* Loads the application, and leaves the function that answers requests on the stack; or
 * leaves a text there that says why it cannot. Raises errors. */
void load_application(struct state *s, lua_State *L);

/* Tells the gateway of the files that were loaded. */
void load_name_files(struct state *s);

#endif
