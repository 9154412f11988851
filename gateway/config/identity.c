#include "gateway/config/identity.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GROUPS_MOST = 1024 };

/* -1 stands for "leave as it is" in the system calls, so nobody has that number. */
static const gid_t no_group = (gid_t)-1;

struct identity
identity_own(void)
{
	return (struct identity){ .uid = geteuid(), .gid = getegid() };
}

/* Users and groups are numbers of the same kind. */
static bool
parse_number(const char *text, uid_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || value >= UINT_MAX)
		return false;
	*number = (uid_t)value;
	return true;
}

const char *
identity_set_user(struct identity *i, const char *user)
{
	bool numeric = parse_number(user, &i->uid);
	const struct passwd *entry = numeric ? getpwuid(i->uid) : getpwnam(user);

	if (entry == NULL && !numeric)
		return "there is no such user; adduser --system --group makes one";
	if (entry != NULL)
		i->uid = entry->pw_uid;
	i->gid = entry != NULL ? entry->pw_gid : no_group;
	return NULL;
}

const char *
identity_set_group(struct identity *i, const char *group)
{
	if (parse_number(group, &i->gid))
		return NULL;
	const struct group *entry = getgrnam(group);
	if (entry == NULL)
		return "there is no such group";
	i->gid = entry->gr_gid;
	return NULL;
}

const char *
identity_add_groups(struct identity *i, struct arena *memory)
{
	const struct passwd *entry = getpwuid(i->uid);
	gid_t all[GROUPS_MOST];
	int n = GROUPS_MOST;

	if (i->gid == no_group)
		return "the number of no known user: group must be set too";
	if (entry == NULL) {
		all[0] = i->gid;
		n = 1;
	} else if (getgrouplist(entry->pw_name, i->gid, all, &n) == -1) {
		return "a user of too many groups";
	}
	gid_t *groups = arena_alloc(memory, (size_t)n * sizeof *groups);
	if (groups == NULL)
		return "more than memory holds";
	memcpy(groups, all, (size_t)n * sizeof *groups);
	i->groups = groups;
	i->n_groups = (size_t)n;
	return NULL;
}
