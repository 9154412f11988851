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

/* The settings of a struct, with the table that describes them. */
struct section {
	const struct setting *table;
	size_t n;
	void *settings;
	struct origin *origins;
};

struct section server_section(struct server_settings *s);
struct section app_section(struct app_settings *a);

/* What stands on the command line only. */
enum command_setting {
	COMMAND_config,
	COMMAND_check_config,
	COMMAND_print_config,
	COMMAND_help,
	COMMAND_version,
	COMMAND_SETTINGS
};

struct command_settings {
	setting_str config;
	setting_bool check_config, print_config, help, version;
	struct origin origins[COMMAND_SETTINGS];
};

extern const struct setting command_table[COMMAND_SETTINGS];
struct section command_section(struct command_settings *c);

#define SOURCE_COMMAND_LINE "command line"
#define SOURCE_VARIABLE "ALICORN_CMD_ARGS"

/* The command line, and what the environment says as if it stood there. */
struct options {
	struct command_settings command;
	struct server_settings server;
	struct app_settings app;
};

/* One reading of everything. */
struct load {
	struct config *config;
	struct options options;
	struct app_settings
		base; /* of every application: defaults, then the file's top */
	char *cwd;
	struct buffer *errors;
	size_t faults_begin; /* length of the errors before this reading */
	bool usage_fault; /* the command line is at fault */
};

/* Adds a line to the errors: "x.conf:12: …", or "alicorn: …". */
void load_fault(struct load *l, const struct origin *origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool load_failed(const struct load *l);

/* Sets a row of a section; false, and a fault, when the value is none for it. `name` is
 * how the origin calls the setting. */
bool load_value(struct load *l, struct section s, size_t row, const char *name,
	const char *text, struct origin origin);

/* Reads words into the options; stops at the first fault. Words of a stronger source
 * come later and replace what a weaker one said. */
bool options_read(struct load *l, char *const *words, const char *source);

/* Reads a file into the server's settings, the base and the applications. */
void file_read(struct load *l, const char *path);

/* Adds faults for what libconfig must not be given. Includes are relative to the
 * folder; NULL: the working one. */
void guard_file(struct load *l, const char *path, const char *folder);

/* Makes paths absolute, fills in what is derived from the settings, and checks what one
 * value alone does not tell. */
void check_config(struct load *l);

#endif
