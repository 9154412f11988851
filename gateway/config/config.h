/*
 * A configuration: everything that the command line, the environment and the files say,
 * checked. Order of strength: built-in < file < ALICORN_CMD_ARGS < command line.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/config/settings.h"
#include "protocols/arena.h"
#include "protocols/buffer.h"

/* What the command line asks for. */
enum config_action {
	CONFIG_RUN,
	CONFIG_CHECK, /* --check-config */
	CONFIG_PRINT, /* --print-config */
	CONFIG_EXPLAIN, /* --explain */
	CONFIG_HELP, /* --help */
	CONFIG_VERSION, /* --version */
};

struct reading;

struct config {
	struct arena memory; /* all of it lives here, or in the readings */
	enum config_action action;
	const char *explain; /* "METHOD URL" */
	const char *explain_from; /* an address, or NULL */
	struct server_settings server;
	/* In the order of the files, then the fronts of sites; at least one when run.
	 */
	struct app_settings *apps;
	size_t n_apps;
	struct site *sites; /* none without routes */
	size_t n_sites;
	const struct route *routes; /* of each site that has none of its own */
	struct reading **files; /* what each said, for the next reload */
	size_t n_files;
	/* Files that were left out, or go on as they were before, and what lacks them.
	 */
	size_t n_broken;
};

/*
 * Reads everything anew, also at a reload: the arguments are those of main(), and
 * `previous` is what serves now, or NULL. Returns NULL and says in `errors` what is
 * wrong, a line for each fault, with file and line where there is one. Unless `usage`
 * is NULL it is set to whether the command line itself is at fault. With CONFIG_HELP
 * and CONFIG_VERSION nothing but the action is filled in.
 *
 * A broken file of a folder is told of in `errors` and left out; what it said in
 * `previous` goes on.
 */
struct config *config_load(int argc, char *const *argv, const struct config *previous,
	struct buffer *errors, bool *usage) __attribute__((warn_unused_result));

void config_free(struct config *c);

/* The configuration as a libconfig file that reads back the same; each value is
 * followed by a comment that says where it came from. */
void config_print(const struct config *c, struct buffer *out);

/* The text of --help, from the tables. */
void config_help(struct buffer *out);

/* The settings for alicorn.conf(5), from the tables. */
void config_manual(struct buffer *out);

#endif
