#include "bindings/php/sendfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* nginx wants an escaped URI in its field. */
static const struct {
	const char *name;
	bool is_uri;
} known[] = {
	{ "X-Sendfile", false },
	{ "X-Lighttpd-Send-File", false },
	{ "X-Accel-Redirect", true },
};

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)((at - digits) % 16) : -1;
}

/* The path of a URI, decoded once. */
static void
decode(char *text)
{
	char *to = text;

	text[strcspn(text, "?")] = '\0';
	for (; *text != '\0'; text++) {
		int high = *text == '%' ? digit(text[1]) : -1;
		int low = high != -1 ? digit(text[2]) : -1;
		*to++ = low != -1 ? (char)(high * 16 + low) : *text;
		text += low != -1 ? 2 : 0;
	}
	*to = '\0';
}

/* The regular file, if links and all it is below the folder; else -1. */
static int
open_below(const char *folder, const char *path)
{
	char root[PATH_MAX], real[PATH_MAX];
	struct stat st;

	if (realpath(folder, root) == NULL || realpath(path, real) == NULL)
		return -1;
	size_t len = strlen(root);
	if (strncmp(real, root, len) != 0 || real[len] != '/')
		return -1;
	int fd = open(real, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	return -1;
}

/* A path is a file's, or one from the folder on. */
static int
open_named(const char *path)
{
	char joined[PATH_MAX];
	const char *folder;

	for (size_t i = 0; (folder = al_option("sendfile_roots", i)) != NULL; i++) {
		int fd = open_below(folder, path);
		int n = snprintf(joined, sizeof(joined), "%s/%s", folder, path);
		if (fd == -1 && n < (int)sizeof(joined))
			fd = open_below(folder, joined);
		if (fd != -1)
			return fd;
	}
	return FILE_REFUSED;
}

static void
take(struct exchange *x, const struct al_header *field, bool is_uri)
{
	char path[PATH_MAX];
	int n = snprintf(
		path, sizeof(path), "%.*s", (int)field->value_len, field->value);

	sendfile_release(x);
	x->file = FILE_REFUSED;
	if (is_uri)
		decode(path);
	if (n < (int)sizeof(path))
		x->file = open_named(path);
	if (x->file == FILE_REFUSED)
		al_log(x->req, AL_LOG_ERROR,
			"%.*s: %s: not a file below sendfile_roots",
			(int)field->name_len, field->name, path);
}

bool
sendfile_take(struct exchange *x, const struct al_header *field)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) != field->name_len ||
			strncasecmp(known[i].name, field->name, field->name_len) != 0)
			continue;
		if (al_option("sendfile_roots", 0) == NULL)
			return false;
		take(x, field, known[i].is_uri);
		return true;
	}
	return false;
}

size_t
sendfile_measure(
	struct exchange *x, struct al_header *fields, size_t n, char length[24])
{
	struct stat st = { 0 };
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (fields[i].name_len != 14 ||
			strncasecmp(fields[i].name, "Content-Length", 14) != 0)
			fields[kept++] = fields[i];
	if (x->file >= 0)
		fstat(x->file, &st);
	snprintf(length, 24, "%lld", (long long)st.st_size);
	fields[kept++] =
		(struct al_header){ .name = "Content-Length", .value = length };
	return kept;
}

void
sendfile_release(struct exchange *x)
{
	if (x->file >= 0)
		close(x->file);
	x->file = FILE_NONE;
}
