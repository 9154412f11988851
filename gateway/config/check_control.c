/*
 * Who may use the control socket: the names must be known when they are read.
 */
#include "gateway/config/sources.h"

void
check_control(struct load *l, struct server_settings *server)
{
	const struct origin *origin = &server->origins[SERVER_control_users];
	size_t n = server->control_users.n;
	uid_t *uids = arena_alloc(&l->config->memory, (n + 1) * sizeof *uids);

	if (uids == NULL) {
		load_fault(l, origin, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = server->control_users.items[i];
		struct identity user = { 0 };
		const char *reason = identity_set_user(&user, name);
		if (reason != NULL)
			load_fault(
				l, origin, "control_users: \"%s\": %s", name, reason);
		uids[i] = user.uid;
	}
	/* What a file says stays as it was read. */
	if (server == &l->config->server)
		server->control_uids = uids;
}
