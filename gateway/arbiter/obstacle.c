#include "gateway/arbiter/obstacle.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TCP_LISTENING = 0x0A, ADDRESS_TEXT = 33, FIRST_FREE_PORT = 1024 };

/* An address as /proc/net/tcp and tcp6 write it. */
struct local {
	char host[ADDRESS_TEXT];
	unsigned port;
};

/* The socket that has it. */
struct holder {
	unsigned long inode;
	unsigned uid;
};

static struct local
local_of(const struct sockaddr *address)
{
	struct local l = { .port = 0 };

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;
		snprintf(l.host, sizeof(l.host), "%08X", in->sin_addr.s_addr);
		l.port = ntohs(in->sin_port);
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;
		const uint32_t *words = in6->sin6_addr.s6_addr32;
		snprintf(l.host, sizeof(l.host), "%08X%08X%08X%08X", words[0], words[1],
			words[2], words[3]);
		l.port = ntohs(in6->sin6_port);
	}
	return l;
}

static bool
is_any(const char *host)
{
	return host[strspn(host, "0")] == '\0';
}

/* Two addresses of a port keep each other away when they are the same, or either is
 * that of all interfaces. */
static bool
is_in_the_way(const struct local *theirs, const struct local *ours)
{
	return theirs->port == ours->port &&
		(is_any(theirs->host) || is_any(ours->host) ||
			strcmp(theirs->host, ours->host) == 0);
}

static bool
find_holder(const char *table, const struct local *ours, struct holder *holder)
{
	FILE *f = fopen(table, "re");
	char line[512];
	struct local theirs;
	unsigned state;
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		found = sscanf(line,
				" %*u: %32[0-9A-F]:%x %*s %x %*s %*s %*s %u %*u %lu",
				theirs.host, &theirs.port, &state, &holder->uid,
				&holder->inode) == 5 &&
			state == TCP_LISTENING && is_in_the_way(&theirs, ours);
	}
	if (f != NULL)
		fclose(f);
	return found;
}

/* Whether the process has the socket, as far as we may look. */
static bool
has_socket(const char *pid, const char *socket)
{
	char folder[64], target[64];
	bool found = false;

	snprintf(folder, sizeof(folder), "/proc/%.20s/fd", pid);
	DIR *d = opendir(folder);
	for (const struct dirent *e; d != NULL && !found && (e = readdir(d)) != NULL;) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		found = strcmp(target, socket) == 0;
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static void
read_line(const char *path, char *line, size_t room)
{
	FILE *f = fopen(path, "re");

	if (f == NULL || fgets(line, (int)room, f) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (f != NULL)
		fclose(f);
}

/* "nginx (pid 321)": the first process that has it, which of a family is the parent. */
static bool
name_process(const struct holder *holder, char *text, size_t room)
{
	char socket[64], path[64], name[64];
	bool found = false;
	DIR *d = opendir("/proc");

	snprintf(socket, sizeof(socket), "socket:[%lu]", holder->inode);
	for (const struct dirent *e; d != NULL && !found && (e = readdir(d)) != NULL;) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
			!has_socket(e->d_name, socket))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", e->d_name);
		read_line(path, name, sizeof(name));
		snprintf(text, room, "%s (pid %.20s)", name, e->d_name);
		found = true;
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static void
name_user(const struct holder *holder, char *text, size_t room)
{
	const struct passwd *user = getpwuid(holder->uid);

	if (user != NULL)
		snprintf(text, room, "a process of the user %s", user->pw_name);
	else
		snprintf(text, room, "a process of the user %u", holder->uid);
}

static void
tell_occupied(const struct sockaddr *address, char *text, size_t room)
{
	struct local ours = local_of(address);
	/* A socket of IPv6 for all interfaces mostly has those of IPv4 too. */
	struct local any = { .host = "0", .port = ours.port };
	struct holder holder;
	char who[128];

	bool known = address->sa_family == AF_INET6
		? find_holder("/proc/net/tcp6", &ours, &holder)
		: find_holder("/proc/net/tcp", &ours, &holder) ||
			find_holder("/proc/net/tcp6", &any, &holder);
	if (!known)
		return;
	if (!name_process(&holder, who, sizeof(who)))
		name_user(&holder, who, sizeof(who));
	snprintf(text, room, " by %s: end it, or bind another address", who);
}

static void
tell_denied(const struct sockaddr *address, char *text, size_t room)
{
	char line[32];
	unsigned first = FIRST_FREE_PORT;

	read_line("/proc/sys/net/ipv4/ip_unprivileged_port_start", line, sizeof(line));
	if (isdigit((unsigned char)line[0]))
		first = (unsigned)strtoul(line, NULL, 10);
	if (local_of(address).port < first)
		snprintf(text, room,
			": ports below %u are root's; start as root, with a user for "
			"the applications, or bind another port",
			first);
}

static void
tell_absent(const struct sockaddr *address, char *text, size_t room)
{
	(void)address;
	snprintf(text, room, ": no interface of this machine has it");
}

static const struct {
	int error;
	void (*tell)(const struct sockaddr *address, char *text, size_t room);
} known[] = {
	{ EADDRINUSE, tell_occupied },
	{ EACCES, tell_denied },
	{ EADDRNOTAVAIL, tell_absent },
};

/* What a unix socket takes. */
static const char *
advice(int error)
{
	if (error == ENOENT)
		return ": its folder has to be there";
	if (error == EACCES)
		return ": we may not write to its folder";
	if (error == EADDRINUSE)
		return ": a server answers there";
	return "";
}

const char *
obstacle_text(int error, const struct sockaddr *address)
{
	static char text[512];
	int n = snprintf(text, sizeof(text), "%s%s", strerror(error),
		address == NULL ? advice(error) : "");

	for (size_t i = 0; address != NULL && i < sizeof(known) / sizeof(known[0]);
		i++) {
		if (known[i].error == error)
			known[i].tell(address, text + n, sizeof(text) - (size_t)n);
	}
	return text;
}
