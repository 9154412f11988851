/*
 * Users and groups of an application: the names must be known when they are read, so
 * that a fault has its file and line.
 */
#include "gateway/config/sources.h"

static void
note(struct load *l, const struct app_settings *app, enum app_setting row,
	const char *text, const char *reason)
{
	if (reason != NULL)
		load_fault(l, &app->origins[row], "%s: \"%s\": %s", app_table[row].name,
			text, reason);
}

static void
check_processes(struct load *l, struct app_settings *app)
{
	struct identity *i = &app->identity;
	const char *reason = NULL;

	*i = identity_own();
	if (app->user != NULL)
		reason = identity_set_user(i, app->user);
	note(l, app, APP_user, app->user, reason);
	if (app->group != NULL)
		note(l, app, APP_group, app->group, identity_set_group(i, app->group));
	if (app->user != NULL && reason == NULL)
		note(l, app, APP_user, app->user,
			identity_add_groups(i, &l->config->memory));
}

static void
check_sockets(struct load *l, struct app_settings *app)
{
	struct identity *i = &app->socket_identity;
	gid_t gid = app->identity.gid;

	*i = app->identity;
	if (app->socket_owner != NULL)
		note(l, app, APP_socket_owner, app->socket_owner,
			identity_set_user(i, app->socket_owner));
	i->gid = gid;
	if (app->socket_group != NULL)
		note(l, app, APP_socket_group, app->socket_group,
			identity_set_group(i, app->socket_group));
}

void
check_identity(struct load *l, struct app_settings *app)
{
	check_processes(l, app);
	check_sockets(l, app);
}
