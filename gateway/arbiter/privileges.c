#include "gateway/arbiter/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *
privileges_check(const struct app_settings *app)
{
	static char reason[512];
	bool own = app->identity.uid == geteuid() && app->identity.gid == getegid();

	if (geteuid() == 0 && app->user == NULL)
		snprintf(reason, sizeof(reason),
			"application %s: applications are not run as root: set user = "
			"\"www-data\" (--user www-data), or user = \"root\" if that is "
			"meant",
			app->name);
	else if (geteuid() != 0 && !own)
		snprintf(reason, sizeof(reason),
			"application %s: only root can start processes of user %u and "
			"group %u, and this is user %u and group %u",
			app->name, (unsigned)app->identity.uid,
			(unsigned)app->identity.gid, (unsigned)geteuid(),
			(unsigned)getegid());
	else
		return NULL;
	return reason;
}

/* A program that the process executes cannot have these again. Without CAP_SETPCAP the
 * set stays: then PR_SET_NO_NEW_PRIVS alone keeps them from being gained. */
static int
empty_bounding_set(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1 && errno != EPERM)
			return -1;
	}
	return 0;
}

/* Those that are not lost with the change of the user, such as systemd's ambient ones.
 * The C library has no call for it. */
static int
drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return (int)syscall(SYS_capset, &header, none);
}

/* The order matters: each step needs what a later one takes away. */
static const char *
become(const struct identity *i, bool was_root)
{
	if (i->uid != 0 && empty_bounding_set() == -1)
		return "empty the capability bounding set";
	if (was_root && setgroups(i->n_groups, i->groups) == -1)
		return "set the supplementary groups";
	if (setresgid(i->gid, i->gid, i->gid) == -1)
		return "set the group";
	if (setresuid(i->uid, i->uid, i->uid) == -1)
		return "set the user";
	if (i->uid != 0 && drop_capabilities() == -1)
		return "drop all capabilities";
	return NULL;
}

const char *
privileges_drop(const struct app_settings *app)
{
	if (app->umask != MODE_UNSET)
		umask((mode_t)app->umask);
	const char *reason = become(&app->identity, geteuid() == 0);
	if (reason != NULL)
		return reason;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return "set no_new_privs";
	/* The change of the user forbade what the process may do to itself (read its
	 * /proc/self, dump core); nothing of ours is in it that it must not see. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return NULL;
}
