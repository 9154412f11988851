/*
 * The sources of a configuration and how they are laid over each other; private to this
 * folder. Each source fills in a struct of its own, whose origins tell what it spoke
 * of.
 */
#ifndef CONFIG_SOURCES_H
#define CONFIG_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/config/config.h"
#include "protocols/buffer.h"

/* The settings of a struct, with the table that describes them, and the memory that
 * their values live in. */
struct section {
	const struct setting *table;
	size_t n;
	void *settings;
	struct origin *origins;
	struct arena *memory;
};

struct section server_section(struct server_settings *s, struct arena *memory);
struct section app_section(struct app_settings *a, struct arena *memory);
struct section route_section(struct route *r, struct arena *memory);

/* Lays what is said in a section over what is there. */
void lay_over(struct section to, struct section from);

/* What stands on the command line only. */
enum command_setting {
	COMMAND_config,
	COMMAND_check_config,
	COMMAND_print_config,
	COMMAND_explain,
	COMMAND_explain_from,
	COMMAND_help,
	COMMAND_version,
	COMMAND_SETTINGS
};

struct command_settings {
	setting_str config, explain, explain_from;
	setting_bool check_config, print_config, help, version;
	struct origin origins[COMMAND_SETTINGS];
};

extern const struct setting command_table[COMMAND_SETTINGS];
struct section command_section(struct command_settings *c, struct arena *memory);

#define SOURCE_COMMAND_LINE "command line"
#define SOURCE_VARIABLE "ALICORN_CMD_ARGS"

/* The command line, and what the environment says as if it stood there. */
struct options {
	struct command_settings command;
	struct server_settings server;
	struct app_settings app;
};

struct route_list {
	struct route *items;
	size_t n, room;
};

/* One of `listeners`: as a file says it, or with what it inherits. */
struct listener {
	const char *name; /* NULL: none is said */
	struct app_settings app; /* of its front */
	struct route_list routes; /* its own; none: those of all */
	bool says_more; /* than bind and routes */
};

/*
 * What one file says, and nothing else: what it is silent about is not set. Nothing in
 * it changes after it was read, so that a later configuration can go on with it when
 * the file has been broken since; each configuration that uses it holds it.
 */
struct reading {
	unsigned holders;
	struct arena memory;
	const char *path;
	struct server_settings server;
	struct app_settings top; /* the default of its applications */
	struct app_settings *apps;
	size_t n_apps;
	bool top_is_app; /* the top itself is one, and not the settings of a listener */
	struct route_list routes; /* their `inner` is what they say of settings */
	struct listener *listeners;
	size_t n_listeners;
	struct log_sink *sinks; /* of logs */
	size_t n_sinks;
};

void reading_free(struct reading *r);

/* One making of a configuration. */
struct load {
	struct config *config;
	const struct config *previous; /* what serves now; NULL: nothing does */
	struct options options;
	struct app_settings defaults;
	size_t apps_room; /* of config->apps */
	bool is_folder; /* of files that need not know of each other */
	bool is_routed; /* one of them has routes, or listeners */
	struct app_settings top; /* what tops say; of the first file that says it */
	struct route_list routes;
	struct listener *listeners;
	size_t n_listeners, listeners_room;
	char *cwd;
	struct buffer *errors;
	unsigned faults;
	bool usage_fault; /* the command line is at fault */
};

/* Adds a line to the errors: "x.conf:12: …", or "alicorn: …". */
void load_fault(struct load *l, const struct origin *origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for what is to be known but is no fault. */
void load_note(struct load *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for what one file lacks of the others: a fault, too, unless the files are
 * those of a folder. */
void load_lack(struct load *l, const struct origin *origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Room for one more than n items, where `*room` are; their new place, or NULL, and a
 * fault. */
void *load_grow(struct load *l, void *items, size_t n, size_t *room, size_t size);

/* Sets a row of a section; false, and a fault, when the value is none for it. `name` is
 * how the origin calls the setting. */
bool load_value(struct load *l, struct section s, size_t row, const char *name,
	const char *text, struct origin origin);

/* Reads words into the options; stops at the first fault. Words of a stronger source
 * come later and replace what a weaker one said. */
bool options_read(struct load *l, char *const *words, const char *source);

/* Reads a file; with faults, or NULL and a fault. The single application of a file that
 * has none by name gets the one given; without a setting of one there is none. */
struct reading *file_read(struct load *l, const char *path, const char *name);

/* Lays what a file says over what is there, and checks it; the configuration holds the
 * reading then. False, and faults, when they do not go together: nothing has changed.
 */
bool load_reading(struct load *l, struct reading *r);

/* Adds an application: defaults, what was said of it, the command line. */
bool load_app(struct load *l, const struct app_settings *said);

/* Reads the files of a folder, in the order of their names. Broken ones are left out,
 * or go on as in the previous configuration. */
void folder_read(struct load *l, const char *path);

/* Adds faults for what libconfig must not be given. Includes are relative to the
 * folder; NULL: the working one. */
void guard_file(struct load *l, const char *path, const char *folder);

/* The whole file into `text`, which it sets up, NUL-terminated. Returns NULL, or why
 * not; the text is the caller's to release in any case. */
const char *guard_read(const char *path, struct buffer *text);

/* Adds a fault for what libconfig calls so, there; of a syntax error it tells what is
 * wrong, as far as can be seen. */
void syntax_fault(struct load *l, const struct origin *at, const char *text);

/* Where libconfig found something, in a file or in one that it includes; the folder is
 * that of the path, NULL where it names none. */
struct origin load_origin(struct arena *memory, const char *path, const char *folder,
	const char *found, int line);

/* How the source of a value calls the setting: its name, or its flag. */
const char *load_label(
	struct load *l, const struct setting *row, const struct origin *origin);

/* The folder that the relative paths of a source begin in: that of the file, or the one
 * the program was started in. NULL when memory is out. */
const char *load_folder(struct load *l, const struct origin *origin);

/* Makes the paths of a section absolute. */
void check_paths(struct load *l, struct section s);

/* Makes those of addresses absolute; false when memory is out. */
bool check_bind_paths(struct load *l, struct app_settings *app);

/* Folders must be there. One that is gone is told with its line, not by each process
 * that needs it. */
void check_folders(struct load *l, const struct app_settings *app);

/* Fills in the addresses of bind, which may be none only where there are routes. */
void check_addresses(struct load *l, struct app_settings *app);

/* Nobody has the same address among the first applications and listeners, which come
 * before: the listeners of a file do after its applications. */
void check_unique(struct load *l, const struct app_settings *app, size_t n_apps,
	size_t n_listeners);

/* What is said of the server, as far as it is said. */
void check_server(struct load *l, struct server_settings *server);

/* Applications from the first one on: makes their paths absolute, fills in what is
 * derived from their settings, and checks what one value alone does not tell. */
void check_apps(struct load *l, size_t first);

/* A front: the same, without a target. It must have an address of its own. */
void check_listener(struct load *l, struct app_settings *app);

/*
 * Settings of gunicorn that are not settings here: what to do instead, or why they have
 * no meaning; NULL: not one of them. The word is a name, or a flag without its dashes.
 * A setting that takes some of gunicorn's values only is one of them too.
 */
const char *reserved_advice(struct slice word);

/* Fills in who the application's processes and sockets are. */
void check_identity(struct load *l, struct app_settings *app);

/* Makes the table of sinks, of all that is said about logs, and checks it. */
void check_logs(struct load *l);

/* A text as libconfig reads it, and where something stands, as a comment that ends its
 * line. */
void print_string(struct buffer *out, const char *text);
void print_origin(struct buffer *out, const struct origin *origin);

/* A setting on a line of its own, with where it was said. */
void print_setting(
	struct buffer *out, struct section s, size_t row, const char *indent);

/* Appends `logs` as a file has them, as far as they are not in one of their own. */
void print_logs(const struct config *c, struct buffer *out);

/* Checks the hooks of the server, and fills in those of a whole configuration. */
void check_hooks(struct load *l, struct server_settings *server);

/* Checks the users of the control socket, and fills in those of a whole configuration.
 */
void check_control(struct load *l, struct server_settings *server);

#endif
