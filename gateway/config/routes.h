/*
 * Routes and listeners: what is read of them, checked and made into sites; private to
 * this folder.
 */
#ifndef CONFIG_ROUTES_H
#define CONFIG_ROUTES_H

#include "gateway/config/sources.h"

/* Where else than in an application a setting of one may stand. */
enum setting_use {
	USE_FRONT, /* a listener */
	USE_FILES, /* a route with files */
	USE_FASTCGI, /* a route with fastcgi */
};

/* Whether it has an effect there, and whether what stands at the top of a file or on
 * the command line has. */
bool setting_is_used(enum app_setting row, enum setting_use use);
bool setting_is_inherited(enum app_setting row, enum setting_use use);

/* Whether the top of a file is an application with its own addresses. Where there are
 * routes it may be no more than the settings of their listener. */
bool top_is_app(const struct load *l, const struct reading *r);

/* Adds the routes and listeners of a file, with faults for what is wrong with them. */
void load_routes(struct load *l, const struct reading *r);

/* Adds what the top of a file says to what those of all do. */
void load_top(struct load *l, const struct reading *r);

/* Adds a listener: defaults, the top, what was said of it, the command line. */
void load_listener(
	struct load *l, const struct listener *said, const struct app_settings *top);

/* Makes the sites, and adds their fronts to the applications. */
void sites_make(struct load *l);

/* Checks a route by itself, with its paths absolute. */
void check_route(struct load *l, const struct route *route);
void check_redirect(struct load *l, const struct route *route);

/* Checks that a route is not behind one that takes all requests. */
void check_reach(struct load *l, const struct route *route, const struct route *before);

/* Whether a path means one and all beneath it: a slash and a '*' are its end. */
bool path_is_prefix(const char *text);

/* Appends `routes` and `listeners` as a file has them; nothing without routes. */
void print_routes(const struct config *c, struct buffer *out);
void print_listeners(const struct config *c, struct buffer *out);

#endif
