/*
 * The settings as structs, and the tables that describe them, made of settings.def.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/config/address.h"
#include "gateway/config/hook.h"
#include "gateway/config/identity.h"
#include "gateway/config/network.h"
#include "gateway/config/target.h"
#include "protocols/arena.h"
#include "protocols/buffer.h"

struct log_sink;

struct text_list {
	const char *const *items;
	size_t n;
};

/* Addresses and networks, and what they mean, as many. */
struct network_list {
	struct text_list texts;
	const struct network *networks;
};

typedef int64_t setting_int;
typedef uint64_t setting_size;
typedef bool setting_bool;
typedef int setting_mode;
typedef const char *setting_str;
typedef struct text_list setting_list;
typedef struct network_list setting_cidrs;

/* A MODE that is not set. */
enum { MODE_UNSET = -1 };

#define SETTING_TYPE_INT setting_int
#define SETTING_TYPE_SIZE setting_size
#define SETTING_TYPE_BOOL setting_bool
#define SETTING_TYPE_STR setting_str
#define SETTING_TYPE_CHOICE setting_str
#define SETTING_TYPE_PATH setting_str
#define SETTING_TYPE_MODE setting_mode
#define SETTING_TYPE_LIST setting_list
#define SETTING_TYPE_MAP setting_list
#define SETTING_TYPE_PATHS setting_list
#define SETTING_TYPE_CIDRS setting_cidrs

enum setting_type {
	SETTING_INT,
	SETTING_SIZE,
	SETTING_BOOL,
	SETTING_STR,
	SETTING_CHOICE,
	SETTING_PATH,
	SETTING_MODE,
	SETTING_LIST,
	SETTING_MAP,
	SETTING_PATHS,
	SETTING_CIDRS,
};

enum server_setting {
#define SERVER(name, ...) SERVER_##name,
#include "gateway/config/settings.def"
	SERVER_SETTINGS
};

enum app_setting {
#define APP(name, ...) APP_##name,
#include "gateway/config/settings.def"
	APP_SETTINGS
};

enum route_setting {
#define ROUTE(name, ...) ROUTE_##name,
#include "gateway/config/settings.def"
	ROUTE_SETTINGS
};

/* Where a value came from: "default", "command line", "ALICORN_CMD_ARGS", "$PORT", or a
 * file, with its line. The source is NULL when nothing was said. */
struct origin {
	const char *source;
	unsigned line; /* 0: no file */
};

/* They stand one after the other in the table. */
enum { SERVER_HOOKS = SERVER_on_exit - SERVER_on_starting + 1 };

struct server_settings {
#define SERVER(name, type, ...) SETTING_TYPE_##type name;
#include "gateway/config/settings.def"
	struct origin origins[SERVER_SETTINGS];

	/* Derived from the above. */
	struct hook hooks[SERVER_HOOKS]; /* of on_starting and those that follow it */
	const uid_t *control_uids; /* of control_users, as many */
	const struct log_sink *sinks; /* of logs, and of what errorlog and others say */
	size_t n_sinks;
};

struct app_settings {
#define APP(name, type, ...) SETTING_TYPE_##type name;
#include "gateway/config/settings.def"
	struct origin origins[APP_SETTINGS];

	/* What follows is derived from the above. */
	const char *name; /* "shop"; "default" in the short form */
	struct origin origin; /* where the application itself is written down */
	struct target what; /* of target */
	struct address *addresses; /* of bind, as many */
	struct identity identity; /* of user and group */
	struct identity socket_identity; /* of socket_owner and socket_group */
	bool has_own_bind; /* bind was said of this application alone */
	const struct site *site; /* that it is the front of; NULL: none */
	bool routed; /* routes of a site lead to it */
};

/* One of `routes`. */
struct route {
#define ROUTE(name, type, ...) SETTING_TYPE_##type name;
#include "gateway/config/settings.def"
	struct origin origins[ROUTE_SETTINGS];
	struct origin origin; /* where it is written down */

	/* What follows is derived from the above. */
	const struct app_settings *to; /* the application of `app`; NULL: none */
	/* What `files` or `fastcgi` says, with its target; NULL: neither is there. */
	struct app_settings *inner;
};

/* Addresses whose requests are routed. */
struct site {
	const char *name;
	/* Whose workers accept, and whose settings the connections have. */
	struct app_settings *front;
	bool direct; /* front is the one application that the routes lead to */
	struct text_list bind; /* of the listener */
	const struct route *routes;
	size_t n_routes;
};

struct setting {
	const char *name;
	enum setting_type type;
	size_t offset; /* of the member in its struct */
	char letter;
	const char *flag;
	const char *fallback; /* the default, as text */
	int64_t min, max;
	const char *value;
	const char *help;
};

extern const struct setting server_table[SERVER_SETTINGS];
extern const struct setting app_table[APP_SETTINGS];
extern const struct setting route_table[ROUTE_SETTINGS];

/* The row of that name in a table of n rows, or -1. */
int setting_find(const struct setting *table, size_t n, const char *name);

bool setting_is_list(const struct setting *row);

/* Whether a text for the row may be several, with commas between them. */
bool setting_has_commas(const struct setting *row);

/*
 * Sets the member of `settings` (the struct of the row's table) from text. A list gets
 * one more item, or those between commas, or is emptied first when `replace` is set.
 * The text is copied into the arena. Returns NULL, or what is wrong with it: "not a
 * whole number from 1 to 4096".
 */
const char *setting_parse(const struct setting *row, void *settings, const char *text,
	bool replace, struct arena *memory);

/* What a value must be: "a whole number from 1 to 4096". */
const char *setting_demand(const struct setting *row, struct arena *memory);

/* Empties a list, unsets a text or a mode. */
void setting_clear(const struct setting *row, void *settings);

/* Makes the member of `to` the same as that of `from`. */
void setting_copy(const struct setting *row, void *to, const void *from);

/* Whether two structs have the same value. */
bool setting_same(const struct setting *row, const void *a, const void *b);

/* Appends value i of a setting to `text`; false beyond the last one or when unset. */
bool setting_text(
	const struct setting *row, const void *settings, size_t i, struct buffer *text);

#endif
