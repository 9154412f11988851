/*
 * Who a process is, or whose a file: user, group and the user's supplementary groups,
 * looked up by name or number in the system's database.
 */
#ifndef CONFIG_IDENTITY_H
#define CONFIG_IDENTITY_H

#include <stddef.h>
#include <sys/types.h>

#include "protocols/arena.h"

struct identity {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* the supplementary ones, `gid` among them */
	size_t n_groups;
};

/* That of this process, without supplementary groups. */
struct identity identity_own(void);

/* The user and the user's own group; identity_set_group may then set another one.
 * Return NULL, or what is wrong with the text. */
const char *identity_set_user(struct identity *i, const char *user);
const char *identity_set_group(struct identity *i, const char *group);

/* At last: adds the user's supplementary groups. NULL, or what is missing. */
const char *identity_add_groups(struct identity *i, struct arena *memory);

#endif
